{
  description = "The demo fleet";

  outputs = { self }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      forAll = make: builtins.listToAttrs (map (system: { name = system; value = make system; }) systems);

      # Needs nothing but a shell: no nixpkgs, no network. Each part takes a moment, as real ones do.
      part = system: name: text: inputs: derivation {
        inherit name system text inputs;
        builder = "/bin/sh";
        args = [ "-c" ''
          echo "configuring ${name}"
          i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done
          echo "$text" > "$out"
          for input in $inputs; do echo "$input" >> "$out"; done
          echo "built ${name}"
        '' ];
      };
    in
    {
      packages = forAll (system:
        let make = part system; in {
          lab1 = make "system-lab1" (builtins.readFile ./hosts/lab1/motd) [
            (make "etc" "hosts resolv.conf" [ ])
            (make "kernel-6.12.40" "bzImage" [ ])
            (make "units" "sshd.service nixfleet-agent.service" [ (make "openssh-10.0" "sshd" [ ]) ])
          ];
        });
    };
}
