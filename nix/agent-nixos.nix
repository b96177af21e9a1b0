# The agent on NixOS: a resident without privileges, and for each command a root runner in a unit of its own.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.nixfleet-agent;
  facts = builtins.fromJSON (builtins.readFile ./units.json);
  units = facts.systemd.system;
  user = "nixfleet-agent";

  fill = builtins.replaceStrings [ "/@program@" ] [ (lib.getExe' cfg.package "nixfleet-agent") ];
  words = lib.splitString " ";
  # NixOS writes these from options of its own.
  split = lib.flip removeAttrs [
    "X-RestartIfChanged"
    "X-StopIfChanged"
  ];

  # `%` begins a specifier in a unit.
  literal = lib.mapAttrs (_: builtins.replaceStrings [ "%" ] [ "%%" ]);

  service = unit: {
    description = unit.Unit.Description;
    documentation = lib.optional (unit.Unit ? Documentation) unit.Unit.Documentation;
    after = lib.optionals (unit.Unit ? After) (words unit.Unit.After);
    wants = lib.optionals (unit.Unit ? Wants) (words unit.Unit.Wants);
    wantedBy = lib.optional (unit ? Install) unit.Install.WantedBy;
    unitConfig = removeAttrs unit.Unit [
      "Description"
      "Documentation"
      "After"
      "Wants"
    ];
    serviceConfig = lib.mapAttrs (_: value: if lib.isString value then fill value else value) (split unit.Service);
    # The run that changes them restarts the agent itself, once the new system stands.
    restartIfChanged = false;
    stopIfChanged = false;
    environment =
      facts.variables.systemd.system
      // literal cfg.variables
      // {
        PATH = lib.mkForce (
          lib.makeBinPath [
            pkgs.gitMinimal
            pkgs.openssh
            config.nix.package
          ]
          + ":${facts.variables.systemd.system.PATH}"
        );
      };
  };
in
{
  imports = [ ./options.nix ];

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];

    users.users.${user} = {
      isSystemUser = true;
      group = user;
      description = "NixFleet agent";
    };
    users.groups.${user} = { };

    systemd.services.nixfleet-agent = lib.mkMerge [
      (service units."nixfleet-agent.service")
      {
        # systemd reads the file as root; the resident gets a copy that only it can read.
        serviceConfig.LoadCredential = "token:${toString cfg.tokenFile}";
        environment.NIXFLEET_TOKEN_FILE = "%d/token";
      }
    ];
    systemd.services."nixfleet-agent-runner@" = service units."nixfleet-agent-runner@.service";
    systemd.sockets.nixfleet-agent-runner = {
      description = units."nixfleet-agent-runner.socket".Unit.Description;
      wantedBy = [ units."nixfleet-agent-runner.socket".Install.WantedBy ];
      socketConfig = units."nixfleet-agent-runner.socket".Socket;
    };
  };
}
