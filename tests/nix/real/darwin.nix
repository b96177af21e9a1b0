# Our module inside the real nix-darwin modules: renders the launchd jobs.
{
  np,
  names,
  darwin,
  module,
  config,
}:
let
  system = "aarch64-darwin";
  lib = import (np + "/lib");
  pkgs = import ./pkgs.nix { inherit lib names np system; };
in
import (darwin + "/eval-config.nix") {
  inherit lib;
  enableNixpkgsReleaseCheck = false;
  specialArgs = { };
  modules = [
    module
    config
    {
      nixpkgs.pkgs = lib.mkForce pkgs;
      _module.args.pkgs = lib.mkForce pkgs;
      nixpkgs.hostPlatform = system;
      system.stateVersion = 6;
      documentation.enable = false;
    }
  ];
}
