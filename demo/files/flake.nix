{
  description = "The demo fleet";

  outputs = { self }:
    let
      # The demo writes there what it runs on.
      system = builtins.replaceStrings [ "\n" ] [ "" ] (builtins.readFile ./hosts/lab1/platform);

      # Needs nothing but a shell: no nixpkgs, no network. Each part takes a moment, as real ones do.
      part = name: text: inputs: derivation {
        inherit name system text inputs;
        PATH = "/usr/bin:/bin";
        builder = "/bin/sh";
        args = [ "-c" ''
          echo "configuring ${name}"
          i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done
          echo "$text" > "$out"
          for input in $inputs; do echo "$input" >> "$out"; done
          echo "built ${name}"
        '' ];
      };
      kernel = part "kernel-6.12.40" "bzImage" [ ];

      # What NixOS calls a system, in a few lines: it can be switched to, and says what it boots.
      toplevel = name: motd: parts: derivation {
        inherit name system motd parts kernel;
        PATH = "/usr/bin:/bin";
        builder = "/bin/sh";
        args = [ "-c" ''
          mkdir -p "$out/bin"
          echo "$motd" > "$out/motd"
          echo "25.11.demo" > "$out/nixos-version"
          echo "quiet" > "$out/kernel-params"
          echo "systemd 2" > "$out/init-interface-version"
          for link in kernel initrd kernel-modules systemd; do ln -s "$kernel" "$out/$link"; done
          for part in $parts; do ln -s "$part" "$out/''${part##*/}"; done
          { echo '#!/bin/sh'; echo "out=$out"; cat ${./lib/switch-to-configuration}; } > "$out/bin/switch-to-configuration"
          chmod +x "$out/bin/switch-to-configuration"
        '' ];
      };
    in
    {
      nixosConfigurations.lab1.config.system.build.toplevel =
        toplevel "nixos-system-lab1-25.11.demo" (builtins.readFile ./hosts/lab1/motd) [
          kernel
          (part "etc" "hosts resolv.conf" [ ])
          (part "units" "sshd.service nixfleet-agent.service" [ (part "openssh-10.0" "sshd" [ ]) ])
        ];
    };
}
