# A pkgs for evaluating the real modules: every word of `names` is a package of nothing. Nothing is ever built, so what
# counts is only that each attribute is there and of the right kind.
{ lib, np, names, system }:
let
  words = lib.filter (n: n != "") (lib.splitString "\n" (builtins.readFile names));
  fake = name: let d = derivation { inherit name system; builder = "/bin/sh"; args = [ "-c" "mkdir -p $out" ]; }; in
    d // { __functor = _: _: fake name; pname = name; version = "257.3"; meta = { mainProgram = name; }; passthru = {};
      override = _: fake name; overrideAttrs = _: fake name; outPath = d.outPath;
      lib = fake "${name}-lib"; bin = fake "${name}-bin"; dev = fake "${name}-dev"; man = fake "${name}-man"; out = d;
        outputs=["out"];
      withCryptsetup = true; withTpm2Tss = true; withImportd=true; withPortabled=true; withHostnamed=true; withLocaled=true;
        withTimedated=true; withLogind=true; withMachined=true; withNetworkd=true; withResolved=true; withTimesyncd=true;
          withUtmp=true; withCoredump=true; withOomd=true; withSysupdate=false; withBootloader=true; withEfi=true;
            withUkify=false; withRepart=false; withNspawn=true; withHomed=false; withLibBPF=true;
              withHwdb=true;withVConsole=true;withFirstboot=false;withSysusers=true;
      kernelOlder = _: false; kernelAtLeast = _: true; features = {}; config = { isSet = _: true; isYes = _: true;
        isEnabled = _: true;isModule=_:true; }; shellPath = "/bin/${name}"; passthruVersion = "1"; interfaceVersion = "1"; };
  writeText = name: text: (derivation { inherit name system text; builder="/bin/sh"; args=["-c" "printf %s \"$text\" > $out"];
    passAsFile=[]; }) ;
  run = name: env: cmd: derivation ({ inherit name system; builder="/bin/sh"; args=["-c" "mkdir -p $out"]; } );
  base = lib.listToAttrs (map (n: { name = n; value = fake n; }) words);
  fmt = type: { ... }: { inherit type; generate = name: v: writeText name (builtins.toJSON v);
    lib = { types.atom = lib.types.anything; };  };
  anyT = with lib.types; attrsOf anything;
  self = base // {
    inherit lib system writeText; path = np;
    config = { allowUnfree = false; allowAliases = false; checkMeta=false; }; overlays = [];
    stdenv = { inherit system; isAarch64=false; hostPlatform = lib.systems.elaborate system;
      buildPlatform = lib.systems.elaborate system; targetPlatform = lib.systems.elaborate system;
        isLinux = lib.hasSuffix "linux" system; isDarwin = lib.hasSuffix "darwin" system; isx86_64=true; cc = fake "gcc";
          mkDerivation = a: fake (a.name or a.pname or "x"); shell="/bin/sh"; shellPackage = fake "bash"; };
    stdenvNoCC = self.stdenv; runtimeShell = "/bin/sh"; runtimeShellPackage = fake "bash";
    hostPlatform = self.stdenv.hostPlatform;
    linuxPackages = lib.genAttrs ["kernel" "v4l2loopback" "zfs" "nvidia_x11"] fake // { kernel = (fake "linux") // { version = "6.12.40"; modDirVersion = "6.12.40"; target="bzImage"; extraMake=""; }; extend = _: self.linuxPackages; callPackage = _: _: fake "kmod"; };
    linuxKernel = { packages = { linux_default = self.linuxPackages; }; }; linuxPackages_latest = self.linuxPackages;
    writeScript = writeText; writeShellScript = writeText; writeShellScriptBin = n: t: fake n; writeScriptBin = n: t: fake n;
      writeShellApplication = a: fake a.name; writeTextFile = a: writeText a.name a.text;
        writeTextDir = n: t: fake (baseNameOf n); writeReferencesToFile = _: fake "refs"; writeClosure = _: fake "closure";
          writeStringReferencesToFile=_: fake "r";
    runCommand = run; runCommandLocal = run; runCommandCC = run; runCommandNoCC = run; symlinkJoin = a: fake a.name;
      buildEnv = a: fake a.name; linkFarm = n: _: fake n; linkFarmFromDrvs = n: _: fake n; concatText = n: _: fake n;
        concatTextFile=a: fake a.name; makeWrapper = fake "makeWrapper"; replaceVars = n: _: fake "rv";
          replaceVarsWith = a: fake (a.name or "rv"); substituteAll = a: fake (a.name or "sa"); substitute= a: fake "su";
            callPackage = f: a: fake "cp"; closureInfo = _: fake "ci"; makeFontsConf = _: "/fonts.conf";
              callPackages = f: a: {};makeModulesClosure = _: fake "mc"; makeInitrdNG = _: fake "initrd";
                makeInitrd = _: fake "initrd"; aggregateModules = _: fake "am"; 
    fetchurl = a: fake "src"; fetchpatch = a: fake "p";
      writers = lib.genAttrs ["writePython3" "writeBash" "writeJSON" "writeDash"] (_: n: a: fake n) // lib.genAttrs ["writePython3Bin" "writeBashBin"] (_: n: a: b: fake n);
    formats = lib.genAttrs ["json" "yaml" "toml" "ini" "keyValue" "systemd" "iniWithGlobalSection" "javaProperties" "gitIni" "hocon" "libconfig" "elixirConf" "pythonVars" "xml" "lua" "php" "hjson" "yaml_1_2" "yaml_1_1" "nixConf"] (_: fmt anyT) // { systemd = fmt anyT {}; };
    python3Packages = lib.genAttrs ["python"] fake; nixosTests = {}; buildPackages = self; pkgsBuildBuild = self;
      pkgsHostTarget=self; targetPackages = self; pkgsi686Linux = self; pkgsCross = {}; glibcLocales = fake "glibcLocales";
        mkShell = _: fake "sh"; extend = f: self; appendOverlays = _: self; getent=fake "getent"; testers={};
    perl = (fake "perl") // { withPackages = _: fake "perl"; pkgs={}; libPrefix="lib/perl5"; };
      python3 = (fake "python3") // { withPackages = _: fake "python3"; pkgs = {}; sitePackages="lib/python3.13/site-packages";
        }; 
    _type = "pkgs"; libxcrypt = (fake "libxcrypt") // { enabledCryptSchemeIds = [ "y" "6" ]; }; pkgsStatic = self;
      unixtools = lib.genAttrs ["xxd" "netstat" "ping"] fake; pkgs = self;
  };
in self
