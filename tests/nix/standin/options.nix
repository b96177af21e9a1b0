# Every option of our modules: name, type, default, example, description.
let
  lib = import ./lib.nix;
  pkgs = import ./pkgs.nix {
    inherit lib;
    system = "x86_64-linux";
  };
  text = value: if builtins.isAttrs value && value ? text then value.text else null;
  list =
    path: options:
    builtins.concatLists (
      lib.mapAttrsToList (
        name: option:
        let
          here = path ++ [ name ];
        in
        if !lib.isOption option then
          list here option
        else
          lib.optional (!(option.internal or false)) {
            name = lib.concatStringsSep "." here;
            type = option.type.name;
            inherit (option) description;
            default =
              if option ? defaultText then
                { nix = option.defaultText.text; }
              else if option ? default then
                { value = option.default; }
              else
                null;
            example =
              if !(option ? example) then
                null
              else if text option.example != null then
                { nix = text option.example; }
              else
                { value = option.example; };
          }
      ) options
    );
  of =
    module:
    list [ ]
      (lib.evalModules {
        inherit pkgs;
        modules = [ module ];
      }).options;
in
{
  agent = of ../../../nix/agent-nixos.nix;
  darwin = of ../../../nix/agent-darwin.nix;
  server = of ../../../nix/server.nix;
}
