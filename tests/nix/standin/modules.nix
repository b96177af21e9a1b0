# Our modules with the stand-in lib: what they make of a configuration.
{
  module,
  config,
  system ? "x86_64-linux",
}:
let
  lib = import ./lib.nix;
  pkgs = import ./pkgs.nix { inherit lib system; };
  evaluated = lib.evalModules {
    inherit pkgs;
    modules = [
      module
      config
    ];
    given = {
      nix.package = pkgs.nix;
      home.homeDirectory = "/home/u";
      home.profileDirectory = "/home/u/.nix-profile";
    };
  };
  made = evaluated.config;
in
{
  failed = map (a: a.message) (builtins.filter (a: !a.assertion) (made.assertions or [ ]));
  services = made.systemd.services or { };
  sockets = made.systemd.sockets or { };
  user = made.systemd.user.services or { };
  daemons = made.launchd.daemons or { };
  agents = made.launchd.agents or { };
  users = made.users or { };
}
