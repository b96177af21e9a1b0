# As much of nixpkgs' lib as our modules use, for machines that have Nix but not nixpkgs. Its module system is a small one:
# options are not type-checked, and a module whose whole config is conditional can't define options of ours.
# The same tests run with the real lib where that is (NIXFLEET_NIX_SOURCES).
let
  inherit (builtins)
    attrNames
    attrValues
    concatLists
    concatStringsSep
    elem
    filter
    foldl'
    head
    isAttrs
    isFunction
    isList
    isPath
    isString
    listToAttrs
    map
    mapAttrs
    removeAttrs
    stringLength
    substring
    ;

  nameValuePair = name: value: { inherit name value; };
  genAttrs = names: make: listToAttrs (map (name: nameValuePair name (make name)) names);
  mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
  mapAttrs' = f: set: listToAttrs (mapAttrsToList f set);
  filterAttrs = keep: set: listToAttrs (filter (p: keep p.name p.value) (mapAttrsToList nameValuePair set));
  hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
  type = name: { inherit name; };
  typeOf = name: inner: { name = "${name} of ${inner.name}"; };

  # --- modules
  isIf = v: isAttrs v && v._type or "" == "if";
  isMerge = v: isAttrs v && v._type or "" == "merge";
  isOverride = v: isAttrs v && v._type or "" == "override";
  isOption = v: isAttrs v && v._type or "" == "option";
  isDerivation = v: isAttrs v && v.type or "" == "derivation";

  # A definition with its conditions resolved: a list of values, each with its priority.
  discharge =
    v:
    if isIf v then
      (if v.condition then discharge v.content else [ ])
    else if isMerge v then
      concatLists (map discharge v.contents)
    else if isOverride v then
      map (found: found // { inherit (v) priority; }) (discharge v.content)
    else
      [
        {
          value = v;
          priority = 100;
        }
      ];
  # Definitions of one place: the strongest count, lists are joined, sets are merged.
  merge =
    definitions:
    let
      found = concatLists (map discharge definitions);
      strongest = foldl' (least: f: if f.priority < least then f.priority else least) 9999 found;
      values = map (f: f.value) (filter (f: f.priority == strongest) found);
      first = head values;
    in
    if found == [ ] then
      { }
    else if isAttrs first && !isDerivation first then
      mapAttrs (_: merge) (
        filterAttrs (_: definitions: concatLists (map discharge definitions) != [ ]) (
          builtins.zipAttrsWith (_: definitions: definitions) values
        )
      )
    else if isList first then
      concatLists values
    else if builtins.all (value: value == first) values then
      first
    else
      throw "conflicting definitions: ${builtins.toJSON values}";

  optionsOf = modules: merge' (map (m: m.options or { }) modules);
  merge' = foldl' recursive { };
  recursive =
    a: b:
    a
    // mapAttrs (
      name: value:
      if a ? ${name} && isAttrs a.${name} && isAttrs value && !isOption value then recursive a.${name} value else value
    ) b;
  lookup = path: set: foldl' (v: name: if isAttrs v && v ? ${name} then v.${name} else null) set path;
  # Every option with its value: what a plain module says, else the default.
  valuesOf =
    plain: path: options:
    mapAttrs (
      name: option:
      let
        here = path ++ [ name ];
        said = filter (v: v != null) (map (lookup here) plain);
      in
      if !isOption option then
        valuesOf plain here option
      else if said != [ ] then
        merge said
      else
        option.default or (throw "the option ${concatStringsSep "." here} is used but not defined")
    ) options;
  markDefined =
    plain: path: options:
    mapAttrs (
      name: option:
      let
        here = path ++ [ name ];
      in
      if isOption option then
        option // { isDefined = option ? default || filter (v: v != null) (map (lookup here) plain) != [ ]; }
      else
        markDefined plain here option
    ) options;
in
rec {
  inherit
    attrValues
    concatStringsSep
    elem
    filterAttrs
    genAttrs
    hasPrefix
    isList
    isOption
    isString
    mapAttrs
    mapAttrs'
    mapAttrsToList
    nameValuePair
    ;
  flip = f: a: b: f b a;
  optional = condition: value: if condition then [ value ] else [ ];
  optionals = condition: values: if condition then values else [ ];
  optionalAttrs = condition: values: if condition then values else { };
  splitString = separator: text: filter isString (builtins.split separator text);
  getExe = package: "${package}/bin/${package.meta.mainProgram or package.pname}";
  getExe' = package: name: "${package}/bin/${name}";
  makeBinPath = packages: concatStringsSep ":" (map (package: "${package}/bin") packages);
  cleanSource = source: source;
  licenses.mit = "MIT";

  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkDefault = mkOverride 1000;
  mkForce = mkOverride 50;
  mkOption = option: option // { _type = "option"; };
  mkEnableOption =
    what:
    mkOption {
      type = types.bool;
      default = false;
      description = "Whether to enable ${what}.";
    };
  literalExpression = text: { inherit text; };
  types = {
    bool = type "boolean";
    int = type "signed integer";
    float = type "floating point number";
    str = type "string";
    path = type "absolute path";
    package = type "package";
    ints.between = low: high: type "integer between ${toString low} and ${toString high} (both inclusive)";
    strMatching = pattern: type "string matching the pattern ${pattern}";
    enum = values: type "one of ${concatStringsSep ", " (map builtins.toJSON values)}";
    nullOr = inner: { name = "null or ${inner.name}"; };
    either = a: b: { name = "${a.name} or ${b.name}"; };
    oneOf = all: { name = concatStringsSep " or " (map (t: t.name) all); };
    attrsOf = typeOf "attribute set";
    listOf = typeOf "list";
  };

  # `given` are further values of the configuration that modules read, as config.nix.package.
  evalModules =
    {
      modules,
      pkgs,
      given ? { },
    }:
    let
      load =
        m:
        let
          value = if isPath m || isString m then import m else m;
          args = {
            inherit config options pkgs;
            lib = self;
          };
          module = if isFunction value then value args else value;
        in
        concatLists (map load (module.imports or [ ]))
        ++ [
          (
            if module ? config || module ? options then
              removeAttrs module [ "imports" ]
            else
              { config = removeAttrs module [ "imports" ]; }
          )
        ];
      loaded = concatLists (map load modules);
      configs = map (m: m.config or { }) loaded;
      plain = filter (c: !(isIf c || isMerge c)) configs;
      declared = optionsOf loaded;
      options = markDefined plain [ ] declared;
      config = recursive given (valuesOf plain [ ] declared);
    in
    {
      inherit options;
      config = merge configs // config;
    };
  self = import ./lib.nix;
}
