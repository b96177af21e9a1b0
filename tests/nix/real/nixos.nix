# Our module inside the real NixOS modules: renders the text of real units, builds nothing.
# np: a tree with nixpkgs' lib/ and nixos/ side by side; names: a file of the words that stand for packages.
{
  np,
  names,
  module,
  config,
}:
let
  system = "x86_64-linux";
  lib = import (np + "/lib");
  pkgs = import ./pkgs.nix { inherit lib names np system; };
in
import (np + "/nixos/lib/eval-config.nix") {
  inherit lib system;
  pkgs = null;
  modules = [
    module
    config
    {
      nixpkgs.pkgs = lib.mkForce pkgs;
      _module.args.pkgs = lib.mkForce pkgs;
      documentation.enable = false;
      fileSystems."/" = {
        device = "/dev/x";
        fsType = "ext4";
      };
      boot.loader.grub.enable = false;
      system.stateVersion = "25.05";
      networking.hostName = "h1";
    }
  ];
}
