# The agent's options, the same on NixOS, nix-darwin and with home-manager, and what is checked of them.
# Each module adds how the agent is started there; what supervisors are told is in units.json.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.services.nixfleet-agent;

  inStore = file: file != null && lib.hasPrefix builtins.storeDir (toString file);
  notInStore = option: file: {
    assertion = !inStore file;
    message = ''
      services.nixfleet-agent.${option} is in the Nix store, which every user of this host can read.
      Give the path as a string and let something put the file there, as agenix or sops-nix do:
        services.nixfleet-agent.${option} = config.age.secrets.nixfleet.path;
    '';
  };
  loopback = url: builtins.match "(http|ws)://(localhost|127\\.[0-9.]+|\\[::1])([:/].*)?" url != null;
  encrypted = url: builtins.match "(https|wss)://.*" url != null;
  allowsPlain = lib.elem (shown (cfg.settings.NIXFLEET_ALLOW_PLAIN_HTTP or "")) [
    "1"
    "true"
    "yes"
    "on"
  ];

  shown = value: if value == true then "1" else if value == false then "0" else toString value;
  given = lib.filterAttrs (_: value: value != null);
  file = types.nullOr (types.either types.path types.str);

  # Set by the options beside, or not this module's to set.
  own = {
    NIXFLEET_TOKEN = "it would be readable in the Nix store: use tokenFile";
    NIXFLEET_TOKEN_FILE = "use tokenFile";
    NIXFLEET_URL = "use url";
    NIXFLEET_HOSTNAME = "use hostname";
    NIXFLEET_PLATFORM = "use platform";
    NIXFLEET_INTERVAL = "use interval";
    NIXFLEET_CA_FILE = "use caFile";
    NIXFLEET_REPO_URL = "use repository.url";
    NIXFLEET_REPO_DIR = "use repository.path";
    NIXFLEET_BRANCH = "use repository.branch";
    NIXFLEET_SSH_KEY = "use repository.sshKeyFile";
    NIXFLEET_ALLOWED_SIGNERS = "use repository.allowedSignersFile";
    NIXFLEET_STATE_DIR = "the units say where the agent keeps its state";
    NIXFLEET_RESIDENT_DIR = "the units say where the agent keeps its state";
    NIXFLEET_RESIDENT_USER = "the units say who the agent runs as";
    NIXFLEET_RUNNER_SOCKET = "the units say where the agent asks for root's work";
  };
in
{
  options.services.nixfleet-agent = {
    enable = lib.mkEnableOption "the NixFleet agent, which connects this host to a NixFleet server and does what it asks";

    package = mkOption {
      type = types.package;
      default = pkgs.nixfleet-agent;
      defaultText = lib.literalExpression "pkgs.nixfleet-agent";
      description = "The agent. The flake's modules and overlay bring it.";
    };

    url = mkOption {
      type = types.strMatching "(https?|wss?)://[^[:space:]]+";
      example = "https://fleet.example.org";
      description = "The server's address. Plain `http://` is for this very host only.";
    };

    tokenFile = mkOption {
      type = file;
      default = null;
      example = "/run/agenix/nixfleet-token";
      description = ''
        File with this host's token, as `nixfleet-server host add NAME` prints it, and nothing else in it.
        A string, not a path literal: what is in the Nix store is readable by everyone.
      '';
    };

    hostname = mkOption {
      type = types.nullOr (types.strMatching "[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?");
      default = null;
      example = "web1";
      description = "The name in the fleet and in the repository. `null`: the host's short name.";
    };

    platform = mkOption {
      type = types.nullOr (
        types.enum [
          "nixos"
          "nix-darwin"
          "home-manager"
          "script"
        ]
      );
      default = null;
      description = "How this host is switched. `null`: found out.";
    };

    interval = mkOption {
      type = types.ints.between 1 3600;
      default = 30;
      description = "Seconds between heartbeats.";
    };

    caFile = mkOption {
      type = file;
      default = null;
      example = "/etc/ssl/certs/our-ca.pem";
      description = "Certificates to trust (PEM) instead of the system's. Not a secret: a path literal is fine.";
    };

    repository = {
      url = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "git@git.example.org:me/machines.git";
        description = "Repository with the configuration; the agent keeps a clone of its own of it.";
      };
      path = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "/etc/nixos";
        description = "An existing checkout to use instead of `repository.url`.";
      };
      branch = mkOption {
        type = types.strMatching "[A-Za-z0-9_][A-Za-z0-9_./+-]*";
        default = "main";
        description = "Branch to follow.";
      };
      sshKeyFile = mkOption {
        type = file;
        default = null;
        example = "/run/secrets/nixfleet-deploy-key";
        description = "Private key for git over ssh. A string, not a path literal, as for `tokenFile`.";
      };
      allowedSignersFile = mkOption {
        type = file;
        default = null;
        example = lib.literalExpression "./allowed-signers";
        description = ''
          When set, commits that are not signed by one of these are refused: a file of allowed signers as `ssh-keygen` has
          it, or, as a string, fingerprints of GPG keys.
        '';
      };
    };

    settings = mkOption {
      type = types.attrsOf (
        types.nullOr (
          types.oneOf [
            types.bool
            types.int
            types.float
            types.str
            types.path
          ]
        )
      );
      default = { };
      example = {
        NIXFLEET_CONFIRM_TIMEOUT = 120;
        NIXFLEET_METRICS = "off";
      };
      description = "Any other `NIXFLEET_*` variable of the agent, by its name. `docs/operations.md` has the table.";
    };

    variables = mkOption {
      type = types.attrsOf types.str;
      internal = true;
      readOnly = true;
      description = "The options as environment variables, without the token's.";
    };
  };

  config.services.nixfleet-agent.variables = lib.mapAttrs (_: shown) (
    given (
      {
        NIXFLEET_URL = cfg.url;
        NIXFLEET_HOSTNAME = cfg.hostname;
        NIXFLEET_PLATFORM = cfg.platform;
        NIXFLEET_INTERVAL = cfg.interval;
        NIXFLEET_CA_FILE = cfg.caFile;
        NIXFLEET_REPO_URL = cfg.repository.url;
        NIXFLEET_REPO_DIR = cfg.repository.path;
        NIXFLEET_BRANCH = if cfg.repository.url == null then null else cfg.repository.branch;
        NIXFLEET_SSH_KEY = cfg.repository.sshKeyFile;
        NIXFLEET_ALLOWED_SIGNERS = cfg.repository.allowedSignersFile;
      }
      // cfg.settings
    )
  );

  config.assertions = lib.mkIf cfg.enable (
    [
      {
        assertion = options.services.nixfleet-agent.url.isDefined;
        message = ''
          services.nixfleet-agent.url is not set: give the server's address, as "https://fleet.example.org".
        '';
      }
      {
        assertion = cfg.tokenFile != null;
        message = ''
          services.nixfleet-agent.tokenFile is not set. Make a token on the server and have it put into a file here:
            nixfleet-server host add ${if cfg.hostname == null then "NAME" else cfg.hostname}
        '';
      }
      {
        assertion = cfg.repository.url == null || cfg.repository.path == null;
        message = ''
          services.nixfleet-agent.repository.url and .path are both set: give one, a clone of the agent's own or a checkout.
        '';
      }
      {
        assertion = cfg.repository.url != null || cfg.repository.path != null;
        message = ''
          services.nixfleet-agent.repository.url is not set: where does this host's configuration come from?
            services.nixfleet-agent.repository.url = "git@git.example.org:me/machines.git";
        '';
      }
    ]
    ++ lib.optional options.services.nixfleet-agent.url.isDefined {
      assertion = encrypted cfg.url || loopback cfg.url || allowsPlain;
      message = ''
        services.nixfleet-agent.url is plain HTTP: the token would cross the network unprotected. Use https://, or,
        if the network itself is protected, services.nixfleet-agent.settings.NIXFLEET_ALLOW_PLAIN_HTTP = true;
      '';
    }
    ++ [
      (notInStore "tokenFile" cfg.tokenFile)
      (notInStore "repository.sshKeyFile" cfg.repository.sshKeyFile)
    ]
    ++ lib.mapAttrsToList (name: _: {
      assertion = lib.hasPrefix "NIXFLEET_" name && !own ? ${name};
      message = "services.nixfleet-agent.settings.${name}: ${
        own.${name} or "expected a variable that begins with NIXFLEET_"
      }.";
    }) cfg.settings
  );
}
