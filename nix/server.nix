# The server on NixOS. It speaks plain HTTP to this machine; a proxy before it does TLS.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.services.nixfleet-server;
  unit = builtins.fromJSON (builtins.readFile ./server-unit.json);
  user = "nixfleet-server";
  dataDir = "/var/lib/nixfleet-server";

  shown = value: if value == true then "1" else if value == false then "0" else toString value;
  literal = builtins.replaceStrings [ "%" ] [ "%%" ];
  given = lib.filterAttrs (_: value: value != null);

  # Secret → file. systemd reads it as root; the server gets a copy that only it can read.
  secrets = given {
    NIXFLEET_PASSWORD_HASH = cfg.passwordHashFile;
    NIXFLEET_TOTP_SECRET = cfg.totpSecretFile;
    NIXFLEET_SESSION_SECRETS = cfg.sessionSecretsFile;
  };
  own = {
    NIXFLEET_LISTEN = "use listen";
    NIXFLEET_BASE_URL = "use baseUrl";
    NIXFLEET_TRUSTED_PROXIES = "use trustedProxies";
    NIXFLEET_DATA_DIR = "it is ${dataDir}";
    NIXFLEET_PASSWORD_HASH = "it would be readable in the Nix store: use passwordHashFile";
    NIXFLEET_PASSWORD_HASH_FILE = "use passwordHashFile";
    NIXFLEET_TOTP_SECRET = "it would be readable in the Nix store: use totpSecretFile";
    NIXFLEET_TOTP_SECRET_FILE = "use totpSecretFile";
    NIXFLEET_SESSION_SECRETS = "it would be readable in the Nix store: use sessionSecretsFile";
    NIXFLEET_SESSION_SECRETS_FILE = "use sessionSecretsFile";
  };
  secretFile =
    description:
    mkOption {
      type = types.nullOr (types.either types.path types.str);
      default = null;
      example = "/run/secrets/nixfleet";
      description = "${description} A string, not a path literal: what is in the Nix store is readable by everyone.";
    };
  variables = lib.mapAttrs (_: value: literal (shown value)) (
    given (
      {
        NIXFLEET_LISTEN = cfg.listen;
        NIXFLEET_DATA_DIR = dataDir;
        NIXFLEET_BASE_URL = cfg.baseUrl;
        NIXFLEET_TRUSTED_PROXIES = if cfg.trustedProxies == [ ] then null else lib.concatStringsSep "," cfg.trustedProxies;
      }
      // cfg.settings
    )
  );

  # For people on this machine: as the server's user, on its data.
  command = pkgs.writeShellScriptBin "nixfleet-server" ''
    as=(/run/wrappers/bin/sudo --user=${user} --)
    [ "$(id -u)" != 0 ] || as=(${lib.getExe' pkgs.util-linux "runuser"} --user=${user} --)
    cd ${dataDir} 2>/dev/null || cd /
    exec "''${as[@]}" ${lib.getExe' pkgs.coreutils "env"} NIXFLEET_DATA_DIR=${dataDir} \
      ${lib.getExe' cfg.package "nixfleet-server"} "$@"
  '';
in
{
  options.services.nixfleet-server = {
    enable = lib.mkEnableOption "the NixFleet server";

    package = mkOption {
      type = types.package;
      default = pkgs.nixfleet-server;
      defaultText = lib.literalExpression "pkgs.nixfleet-server";
      description = "The server. The flake's module and overlay bring it.";
    };

    listen = mkOption {
      type = types.str;
      default = "127.0.0.1:8000";
      description = "`HOST:PORT` to listen on. Beyond loopback it needs `trustedProxies`.";
    };

    baseUrl = mkOption {
      type = types.nullOr (types.strMatching "https?://[^/[:space:]]+/?");
      default = null;
      example = "https://fleet.example.org";
      description = "The public address, for cookies, Origin checks and links.";
    };

    trustedProxies = mkOption {
      type = types.listOf types.str;
      default = [ "127.0.0.1" ];
      description = "Addresses or networks of the TLS proxy: its `X-Forwarded-*` headers are believed.";
    };

    passwordHashFile = secretFile ''
      File with the hash of the login's password, as `nixfleet-server hash-password` prints it. `null`: the first start
      logs a link to set one.'';
    totpSecretFile = secretFile "File with the secret of the second factor.";
    sessionSecretsFile = secretFile "File with the secrets that sign cookies, comma-separated. `null`: made by the server.";

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
        NIXFLEET_LOG_LEVEL = "debug";
      };
      description = "Any other `NIXFLEET_*` variable of the server, by its name. `docs/operations.md` has the table.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions =
      lib.mapAttrsToList (name: file: {
        assertion = !lib.hasPrefix builtins.storeDir (toString file);
        message = ''
          services.nixfleet-server: the file for ${name} is in the Nix store, which every user of this host can read.
          Give its path as a string and let something put it there, as agenix or sops-nix do.
        '';
      }) secrets
      ++ lib.mapAttrsToList (name: _: {
        assertion = lib.hasPrefix "NIXFLEET_" name && !own ? ${name};
        message = "services.nixfleet-server.settings.${name}: ${
          own.${name} or "expected a variable that begins with NIXFLEET_"
        }.";
      }) cfg.settings;

    environment.systemPackages = [ command ];

    users.users.${user} = {
      isSystemUser = true;
      group = user;
      home = dataDir;
      description = "NixFleet server";
    };
    users.groups.${user} = { };

    systemd.services.nixfleet-server = {
      description = unit.Unit.Description;
      documentation = [ unit.Unit.Documentation ];
      after = [ unit.Unit.After ];
      wantedBy = [ unit.Install.WantedBy ];
      unitConfig = { inherit (unit.Unit) StartLimitIntervalSec; };
      environment =
        variables
        // lib.mapAttrs' (name: _: lib.nameValuePair "${name}_FILE" "%d/${name}") secrets
        // {
          PATH = lib.mkForce "/run/current-system/sw/bin"; # it starts no programs
        };
      serviceConfig = unit.Service // {
        ExecStart = builtins.replaceStrings [ "/@program@" ] [
          (lib.getExe' cfg.package "nixfleet-server")
        ] unit.Service.ExecStart;
        LoadCredential = lib.mapAttrsToList (name: file: "${name}:${toString file}") secrets;
      };
    };
  };
}
