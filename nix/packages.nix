# The four packages as Python packages, built from their own pyproject.toml with hatchling and nothing else.
{ lib, python3 }:
let
  names = [
    "nixfleet-protocol"
    "nixfleet-web"
    "nixfleet-server"
    "nixfleet-agent"
  ];
  root = ../packages;
  module = builtins.replaceStrings [ "-" ] [ "_" ];

  # A requirement as `uvicorn>=0.46,<1` → the package `uvicorn`.
  nameOf = requirement: builtins.head (builtins.match "([A-Za-z0-9_.-]+).*" requirement);
  find = requirement: ours.${nameOf requirement} or python3.pkgs.${nameOf requirement};

  build =
    name:
    let
      project = (builtins.fromTOML (builtins.readFile (root + "/${name}/pyproject.toml"))).project;
      about = builtins.readFile (root + "/${name}/src/${module name}/__about__.py");
    in
    python3.pkgs.buildPythonPackage {
      pname = name;
      version = builtins.head (builtins.match ".*__version__ = \"([^\"]+)\".*" about);
      pyproject = true;
      src = lib.cleanSource (root + "/${name}");
      build-system = [ python3.pkgs.hatchling ];
      dependencies = map find project.dependencies;
      optional-dependencies = lib.mapAttrs (_: map find) (project.optional-dependencies or { });
      # What nixpkgs has decides: our ranges say what is tested.
      pythonRelaxDeps = true;
      pythonImportsCheck = [ (module name) ];
      meta = {
        inherit (project) description;
        homepage = "https://github.com/nixfleet/nixfleet";
        license = lib.licenses.mit;
        mainProgram = if name == "nixfleet-protocol" then "nixfleet" else name;
      };
    };
  ours = lib.genAttrs names build;
in
{
  inherit (ours) nixfleet-web;
  nixfleet-agent = python3.pkgs.toPythonApplication ours.nixfleet-agent;
  nixfleet-server = python3.pkgs.toPythonApplication ours.nixfleet-server;
  # The operator's command line, with what talks to the server.
  nixfleet-client = python3.pkgs.toPythonApplication (
    ours.nixfleet-protocol.overridePythonAttrs (old: {
      dependencies = old.dependencies ++ ours.nixfleet-protocol.optional-dependencies.client;
    })
  );
  # A Python with all of it, for the demo.
  nixfleet-python = python3.withPackages (_: lib.attrValues ours ++ ours.nixfleet-protocol.optional-dependencies.client);
}
