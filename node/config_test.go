package node

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const someNode = "/ip4/192.0.2.1/tcp/4710/p2p/12D3KooWAedwHhuSiqSzFCoDw7FmjaVyk8SjaCDSysupczA2VLAC"

func goodConfig() Config {
	return Config{
		Network: "test-net", Zone: "rack 1", Listen: []string{"/ip4/127.0.0.1/tcp/0", "/ip6/::1/tcp/4710"},
		Bootstrap: []string{someNode, "/dns4/node.example/tcp/1/p2p/x"}, Capacity: 1 << 30, Admin: DefaultAdmin,
	}
}

func TestConfigFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadConfig(dir); !errors.Is(err, ErrNoNode) {
		t.Error("no node:", err)
	}
	c := goodConfig()
	must(t, writeConfig(dir, c))
	got, err := ReadConfig(dir)
	if err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("%+v, %v", got, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, configName))
	must(t, err)
	if s := string(text); strings.Contains(s, "admin") || strings.Contains(s, "vault_quota") {
		t.Errorf("defaults are written:\n%s", s)
	}
	c.Admin, c.VaultQuota = "[::1]:7711", 5
	must(t, writeConfig(dir, c))
	must(t, SetCapacity(dir, 17))
	c.Capacity = 17
	if got, err := ReadConfig(dir); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := SetCapacity(dir, 0); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
}

func TestConfigIsStrict(t *testing.T) {
	good := "network = \"n\"\nzone = \"z\"\nlisten = [\"/ip4/127.0.0.1/tcp/1\"]\ncapacity = 100\n"
	for text, want := range map[string]string{
		good:                                  "",
		good + "capcity = 5\n":                "capcity",
		good + "[limits]\nup = 5\n":           "limits",
		good + "admin = \"0.0.0.0:7711\"\n":   "loopback",
		good + "admin = \"10.0.0.1:7711\"\n":  "loopback",
		good + "admin = \"example.org:80\"\n": "loopback",
		good + "admin = \"7711\"\n":           "admin",
		"network = 5":                         "network",
		"=":                                   "toml",
		strings.ReplaceAll(good, "capacity = 100", ""):                                                   "capacity",
		strings.ReplaceAll(good, "capacity = 100", "capacity = \"100GB\""):                               "capacity",
		strings.ReplaceAll(good, "\"/ip4/127.0.0.1/tcp/1\"", ""):                                         "listen",
		strings.ReplaceAll(good, "tcp/1", "udp/1/quic-v1"):                                               "listen",
		strings.ReplaceAll(good, "tcp/1", "tcp/70000"):                                                   "listen",
		strings.ReplaceAll(good, "tcp/1", "tcp/1/ws"):                                                    "listen",
		strings.ReplaceAll(good, "\"n\"", "\"Net\""):                                                     "network",
		strings.ReplaceAll(good, "\"n\"", "\""+strings.Repeat("n", 65)+"\""):                             "network",
		good + "bootstrap = [\"/ip4/127.0.0.1/tcp/1\"]\n":                                                "bootstrap",
		good + "vault_quota = -1\n":                                                                      "vault_quota",
		good + "# " + strings.Repeat("x", configLimit):                                                   "longer",
		strings.ReplaceAll(good, "\"z\"", "\""+strings.Repeat("z", 65)+"\"") + "admin = \"localhost:1\"": "zone",
	} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, configName), []byte(text), 0o600))
		_, err := ReadConfig(dir)
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.200q: %v; want %q", text, err, want)
		}
	}
}
