# Our module inside the real home-manager modules: systemd user services and launchd agents.
{
  np,
  names,
  hm,
  module,
  config,
  system,
}:
let
  lib = import (np + "/lib");
  pkgs = import ./pkgs.nix { inherit lib names np system; } // {
    path = np;
  };
in
import (hm + "/modules") {
  inherit lib pkgs;
  configuration = {
    imports = [
      module
      config
    ];
    home.username = "u";
    home.homeDirectory = "/home/u";
    home.stateVersion = "25.05";
    manual.manpages.enable = false;
    nixpkgs.overlays = lib.mkForce null;
    _module.args.pkgs = lib.mkForce pkgs;
  };
}
