package node

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	for text, want := range map[string]Rate{
		"20MiB": 20 << 20, "20 MiB": 20 << 20, "1GiB": 1 << 30, "64KiB": 64 << 10, "500KB": 500_000, "1MB": 1e6,
		"100Mbit": 12_500_000, "1Gbit": 125_000_000, "800kbit": 100_000, "65536": 65536, "0": 0, "1.5MiB": 3 << 19,
	} {
		var r Rate
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want {
			t.Errorf("%q: %d, %v; want %d", text, r, err, want)
		}
		p, err := r.MarshalText()
		var again Rate
		if err := errors.Join(err, again.UnmarshalText(p)); err != nil || again != r {
			t.Errorf("%q is written %q and read %d, %v", text, p, again, err)
		}
	}
	for _, text := range []string{"", "MiB", "fast", "-1", "NaN", "Inf", "1e300GiB", "20MiB/s", "20 mib"} {
		if err := new(Rate).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is a rate", text)
		}
	}
}

func TestLimitOfTheDay(t *testing.T) {
	at := func(clock string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04:05", "2026-03-02 "+clock, time.Local)
		must(t, err)
		return v
	}
	limits := []Limit{
		{From: "07:00", To: "22:00", Up: 2 << 20, Down: 4 << 20},
		{From: "12:00", To: "13:00", Up: 1 << 20},
		{From: "23:30", To: "00:30", Down: 3 << 20},
		{Down: 8 << 20},
	}
	for clock, want := range map[string][2]Rate{
		"06:59:59": {0, 8 << 20}, "07:00:00": {2 << 20, 4 << 20}, "12:30:00": {1 << 20, 4 << 20}, "21:59:59": {2 << 20, 4 << 20},
		"22:00:00": {0, 8 << 20}, "23:30:00": {0, 3 << 20}, "00:29:59": {0, 3 << 20}, "00:30:00": {0, 8 << 20},
	} {
		now := func() time.Time { return at(clock) }
		up := tightest(limits, now, func(l Limit) Rate { return l.Up })
		down := tightest(limits, now, func(l Limit) Rate { return l.Down })
		if up != want[0] || down != want[1] {
			t.Errorf("at %s: up %d, down %d; want %v", clock, up, down, want)
		}
	}
	if !(Limit{From: "05:00", To: "05:00", Up: 1 << 20}).holds(at("17:00:00")) {
		t.Error("from an hour to the same one is the whole day")
	}
}

// What node.toml may say of volumes and limits, and what comes back of it.
func TestVolumesInConfig(t *testing.T) {
	dir := t.TempDir()
	good := VolumeConfig{Name: "two", Path: "/mnt/two", Capacity: 1 << 40, ID: "0102030405060708090a0b0c0d0e0f10"}
	c := goodConfig()
	c.Volumes = []VolumeConfig{{Name: MainVolume, State: VolumeDraining}, good}
	c.Limits = []Limit{{From: "07:00", To: "22:00", Up: 20 << 20, Down: 1 << 20}, {Down: 12_500_000}}
	must(t, writeConfig(dir, c))
	if got, err := ReadConfig(dir); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("%+v, %v", got, err)
	}
	if n := c.total(); n != c.Capacity+1<<40 {
		t.Errorf("%d offered", n)
	}
	if v := c.volumes(); len(v) != 2 || v[0].Name != MainVolume || v[0].State != VolumeDraining || v[0].Capacity != c.Capacity || v[1] != good {
		t.Errorf("%+v", v)
	}
	edit := func(f func(v *VolumeConfig)) []VolumeConfig {
		v := good
		f(&v)
		return []VolumeConfig{v}
	}
	other := good
	other.Name, other.ID = "three", "1102030405060708090a0b0c0d0e0f10"
	for what, bad := range map[string]func(c *Config){
		"no name":             func(c *Config) { c.Volumes = edit(func(v *VolumeConfig) { v.Name = "" }) },
		"a name in capitals":  func(c *Config) { c.Volumes = edit(func(v *VolumeConfig) { v.Name = "Two" }) },
		"a relative path":     func(c *Config) { c.Volumes = edit(func(v *VolumeConfig) { v.Path = "two" }) },
		"more than any disk":  func(c *Config) { c.Volumes = edit(func(v *VolumeConfig) { v.Capacity = MaxCapacity + 1 }) },
		"no capacity":         func(c *Config) { c.Volumes = edit(func(v *VolumeConfig) { v.Capacity = 0 }) },
		"a short ID":          func(c *Config) { c.Volumes = edit(func(v *VolumeConfig) { v.ID = "01" }) },
		"an unknown state":    func(c *Config) { c.Volumes = edit(func(v *VolumeConfig) { v.State = "idle" }) },
		"two of one path":     func(c *Config) { c.Volumes = []VolumeConfig{good, other} },
		"a path for main":     func(c *Config) { c.Volumes = []VolumeConfig{{Name: MainVolume, Path: "/mnt"}} },
		"main paused":         func(c *Config) { c.Volumes = []VolumeConfig{{Name: MainVolume, State: VolumePaused}} },
		"too many":            func(c *Config) { c.Volumes = make([]VolumeConfig, MaxVolumes+1) },
		"from without to":     func(c *Config) { c.Limits = []Limit{{From: "07:00", Up: 1 << 20}} },
		"no hour":             func(c *Config) { c.Limits = []Limit{{From: "7:00", To: "24:00", Up: 1 << 20}} },
		"a limit of nothing":  func(c *Config) { c.Limits = []Limit{{From: "07:00", To: "08:00"}} },
		"too slow":            func(c *Config) { c.Limits = []Limit{{Up: LeastRate - 1}} },
		"more than the limit": func(c *Config) { c.Limits = make([]Limit, MaxLimits+1) },
	} {
		c := goodConfig()
		bad(&c)
		if err := c.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
