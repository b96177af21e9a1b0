# The agent under nix-darwin: a resident without privileges, and for each command a root runner that launchd starts.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.nixfleet-agent;
  facts = builtins.fromJSON (builtins.readFile ./units.json);
  jobs = facts.launchd.system;
  known = facts.variables.launchd.system;
  inherit (jobs."org.nixfleet.agent") UserName;

  fill = builtins.replaceStrings [ "/@program@" ] [ (lib.getExe' cfg.package "nixfleet-agent") ];
  job = facts: {
    # nix-darwin has it wait for the Nix store's volume.
    command = lib.concatStringsSep " " (map fill facts.ProgramArguments);
    serviceConfig = removeAttrs facts [ "ProgramArguments" ];
    environment =
      known
      // cfg.variables
      // {
        PATH =
          lib.makeBinPath [
            pkgs.gitMinimal
            pkgs.openssh
            config.nix.package
          ]
          + ":${known.PATH}";
      };
  };
in
{
  imports = [ ./options.nix ];

  options.services.nixfleet-agent.uid = lib.mkOption {
    type = lib.types.int;
    default = 549;
    description = "User and group id of the agent's own user: macOS gives none by itself. Any free one from 350 to 999.";
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];

    users.knownUsers = [ UserName ];
    users.knownGroups = [ UserName ];
    users.users.${UserName} = {
      inherit (cfg) uid;
      gid = cfg.uid;
      home = known.NIXFLEET_RESIDENT_DIR;
      createHome = true;
      isHidden = true;
      description = "NixFleet agent";
    };
    users.groups.${UserName}.gid = cfg.uid;

    # launchd has nothing like systemd's credentials: the file must be readable by the agent's user.
    launchd.daemons.nixfleet-agent = lib.mkMerge [
      (job jobs."org.nixfleet.agent")
      { environment.NIXFLEET_TOKEN_FILE = toString cfg.tokenFile; }
    ];
    launchd.daemons.nixfleet-agent-runner = job jobs."org.nixfleet.agent-runner";
  };
}
