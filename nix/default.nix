# The flake's outputs.
{ self, nixpkgs }:
let
  inherit (nixpkgs) lib;
  systems = [
    "x86_64-linux"
    "aarch64-linux"
    "x86_64-darwin"
    "aarch64-darwin"
  ];
  each = build: lib.genAttrs systems (system: build (nixpkgs.legacyPackages.${system}));
  packages = pkgs: import ./packages.nix { inherit (pkgs) lib python3; };

  # A module, with the packages of this flake built by the host's own nixpkgs.
  withPackage =
    module: service:
    {
      lib,
      pkgs,
      ...
    }:
    {
      imports = [ module ];
      services.${service}.package = lib.mkDefault (packages pkgs).${service};
    };
  agentOnNixos = withPackage ./agent-nixos.nix "nixfleet-agent";
  agentOnDarwin = withPackage ./agent-darwin.nix "nixfleet-agent";
  agentOfUser = withPackage ./agent-home-manager.nix "nixfleet-agent";
  server = withPackage ./server.nix "nixfleet-server";

  demo = pkgs: pkgs.writeShellApplication {
    name = "nixfleet-demo";
    runtimeInputs = [
      (packages pkgs).nixfleet-python
      pkgs.gitMinimal
    ];
    text = ''
      cd ${self}
      exec python -P -c 'import sys; sys.path.insert(0, "."); import runpy; runpy.run_module("demo", run_name="__main__", alter_sys=True)' "$@"
    '';
  };
in
{
  packages = each (
    pkgs:
    let
      ours = packages pkgs;
    in
    {
      agent = ours.nixfleet-agent;
      server = ours.nixfleet-server;
      web = ours.nixfleet-web;
      client = ours.nixfleet-client;
      default = ours.nixfleet-client;
    }
  );

  overlays.default = import ./overlay.nix;

  nixosModules = {
    agent = agentOnNixos;
    inherit server;
    default = {
      imports = [
        agentOnNixos
        server
      ];
    };
  };
  darwinModules = {
    agent = agentOnDarwin;
    default = agentOnDarwin;
  };
  homeManagerModules = {
    agent = agentOfUser;
    default = agentOfUser;
  };
  homeModules = self.homeManagerModules; # the name that newer tools look for

  apps = each (
    pkgs:
    lib.genAttrs [ "demo" "default" ] (_: {
      type = "app";
      program = lib.getExe (demo pkgs);
      meta.description = "A server and three simulated hosts on loopback";
    })
  );

  devShells = each (pkgs: {
    default = pkgs.mkShell {
      packages = [
        pkgs.python3
        pkgs.uv
        pkgs.git
        pkgs.nodejs
        pkgs.openssl
      ];
      shellHook = ''
        echo "./hatch run demo | test | lint   (CONTRIBUTING.md)"
      '';
    };
  });

  checks = each (
    pkgs:
    {
      inherit (self.packages.${pkgs.stdenv.hostPlatform.system})
        agent
        server
        web
        client
        ;
    }
    // lib.optionalAttrs pkgs.stdenv.hostPlatform.isLinux {
      vm = pkgs.testers.runNixOSTest (import ./vm-test.nix { inherit self; });
    }
  );
}
