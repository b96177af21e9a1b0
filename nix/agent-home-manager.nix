# The agent with home-manager, on Linux and macOS: all of it is this user's.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.nixfleet-agent;
  facts = builtins.fromJSON (builtins.readFile ./units.json);
  unit = facts.systemd.user."nixfleet-agent.service";
  job = facts.launchd.user."org.nixfleet.agent";

  fill =
    builtins.replaceStrings
      [
        "/@program@"
        "/@home@"
      ]
      [
        (lib.getExe' cfg.package "nixfleet-agent")
        config.home.homeDirectory
      ];
  fillAll = lib.mapAttrs (
    _: value:
    if lib.isString value then
      fill value
    else if lib.isList value then
      map fill value
    else
      value
  );
  variables =
    known:
    known
    // cfg.variables
    // {
      NIXFLEET_TOKEN_FILE = toString cfg.tokenFile;
      PATH =
        lib.makeBinPath [
          pkgs.gitMinimal
          pkgs.openssh
        ]
        + ":${config.home.profileDirectory}/bin:${known.PATH}";
    };
  quoted =
    name: value: ''"${name}=${builtins.replaceStrings [ "\\" "\"" "%" ] [ "\\\\" "\\\"" "%%" ] value}"'';
in
{
  imports = [ ./options.nix ];

  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      { home.packages = [ cfg.package ]; }
      (lib.mkIf pkgs.stdenv.hostPlatform.isLinux {
        systemd.user.services.nixfleet-agent = {
          # The run that changes the unit restarts the agent itself.
          Unit = fillAll unit.Unit // { X-SwitchMethod = "keep-old"; };
          Service = fillAll unit.Service // {
            Environment = lib.mapAttrsToList quoted (variables facts.variables.systemd.user);
          };
          Install.WantedBy = [ unit.Install.WantedBy ];
        };
      })
      (lib.mkIf pkgs.stdenv.hostPlatform.isDarwin {
        launchd.agents.nixfleet-agent = {
          enable = true;
          config = fillAll job // {
            EnvironmentVariables = variables facts.variables.launchd.user;
          };
        };
      })
    ]
  );
}
