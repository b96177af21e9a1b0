# A server and two agents in virtual machines: enrol by token, switch by the page's own API, and the switch replaces the
# agent itself. Run by `nix build .#checks.x86_64-linux.vm` where KVM is.
{ self }:
let
  # bcrypt of "correct horse"
  hash = "$2b$04$kZFb0RY41DTQU8n3WCSVXeFeq.7S5iQ2T4uVACQh4VYjK0xgKy/zq";

  agent =
    { config, pkgs, ... }:
    {
      imports = [ self.nixosModules.agent ];
      environment.systemPackages = [ pkgs.gitMinimal ];
      services.nixfleet-agent = {
        enable = true;
        url = "http://server:8000";
        tokenFile = "/etc/nixfleet-token";
        platform = "script";
        repository.path = "/etc/fleet";
        interval = 5;
        settings.NIXFLEET_ALLOW_PLAIN_HTTP = true;
      };
      # The repository's switch goes to the other configuration of this very machine, whose agent is told something else.
      specialisation.next.configuration.services.nixfleet-agent.interval = 7;
    };
in
{
  name = "nixfleet";

  nodes = {
    server = {
      imports = [ self.nixosModules.server ];
      networking.firewall.allowedTCPPorts = [ 8000 ];
      environment.etc."nixfleet-hash".text = hash;
      services.nixfleet-server = {
        enable = true;
        listen = "0.0.0.0:8000";
        passwordHashFile = "/etc/nixfleet-hash";
        settings.NIXFLEET_ALLOW_PLAIN_HTTP = true;
      };
    };
    web1 = agent;
    web2 = agent;
  };

  testScript = ''
    import json

    start_all()
    server.wait_for_unit("nixfleet-server.service")
    server.wait_for_open_port(8000)
    key = json.loads(server.succeed("nixfleet-server token add test --scope operate --json"))["token"]
    hosts = {"web1": web1, "web2": web2}

    def api(path, body=None):
        data = f"-d '{json.dumps(body)}'" if body is not None else ""
        return json.loads(server.succeed(
            f"curl -sf -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' {data} "
            f"http://127.0.0.1:8000/api/v1/{path}"
        ))

    for name, machine in hosts.items():
        made = json.loads(server.succeed(f"nixfleet-server host add {name} --json"))
        machine.wait_for_unit("multi-user.target")
        machine.succeed(
            "mkdir -p /etc/fleet && cd /etc/fleet && git init -q -b main . && "
            "printf '#!/bin/sh\\nexec /run/booted-system/specialisation/next/bin/switch-to-configuration test\\n' > switch && "
            "chmod +x switch && git add . && git -c user.name=t -c user.email=t@t commit -qm one"
        )
        machine.succeed(f"umask 077; echo {made['token']} > /etc/nixfleet-token; systemctl restart nixfleet-agent")

    with subtest("both agents are online"):
        server.wait_until_succeeds(
            f"curl -sf -H 'Authorization: Bearer {key}' http://127.0.0.1:8000/api/v1/hosts"
            " | grep -o '\"presence\": *\"online\"' | wc -l | grep -x 2", timeout=60
        )

    with subtest("a switch that replaces the agent ends well"):
        for name, machine in hosts.items():
            before = machine.succeed("systemctl show -P MainPID nixfleet-agent").strip()
            run = api(f"hosts/{name}/runs", {"command": "switch"})["id"]
            server.wait_until_succeeds(
                f"curl -sf -H 'Authorization: Bearer {key}' http://127.0.0.1:8000/api/v1/runs/{run} | grep '\"ended\"'",
                timeout=120,
            )
            assert api(f"runs/{run}")["result"] == "ok"
            machine.succeed("systemctl restart nixfleet-agent")
            assert machine.succeed("systemctl show -P MainPID nixfleet-agent").strip() != before
            machine.succeed("systemctl show -P Environment nixfleet-agent | grep NIXFLEET_INTERVAL=7")
  '';
}
