# A pkgs of packages that are names only.
{ lib, system }:
let
  linux = builtins.match ".*-linux" system != null;
  fake = pname: {
    type = "derivation";
    inherit pname;
    name = pname;
    outPath = "/nix/store/${pname}";
    meta.mainProgram = pname;
    override = _: fake pname;
    overridePythonAttrs = _: fake pname;
    optional-dependencies = { };
  };
  python = {
    pkgs = builtins.listToAttrs (
      map
        (name: {
          inherit name;
          value = fake name;
        })
        (builtins.filter builtins.isString (builtins.split "\n" (builtins.readFile ./python-names.txt)))
    ) // {
      buildPythonPackage = asked: fake asked.pname // { inherit asked; } // {
        inherit (asked) version optional-dependencies;
        overridePythonAttrs = change: fake asked.pname // { asked = asked // change asked; };
      };
      toPythonApplication = package: package;
    };
    withPackages = choose: fake "python3-with" // { chosen = choose { }; };
  };
in
{
  inherit lib;
  python3 = python;
  stdenv.hostPlatform = {
    inherit system;
    isLinux = linux;
    isDarwin = !linux;
  };
  writeShellScriptBin = name: text: fake name // { inherit text; };
  writeShellApplication = { name, text, runtimeInputs ? [ ] }: fake name // { inherit text runtimeInputs; };
  mkShell = asked: fake "shell" // { inherit asked; };
  testers.runNixOSTest = test: fake "vm-test-run-${test.name}" // { inherit test; };
}
// builtins.listToAttrs (
  map
    (name: {
      inherit name;
      value = fake name;
    })
    [
      "coreutils"
      "git"
      "gitMinimal"
      "nix"
      "nodejs"
      "openssh"
      "openssl"
      "util-linux"
      "uv"
      "nixfleet-agent"
      "nixfleet-server"
    ]
)
