package node

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
)

func TestDuration(t *testing.T) {
	type config struct {
		Every Duration `toml:"every,omitzero"`
	}
	for text, want := range map[string]time.Duration{
		"every = \"90s\"":    90 * time.Second,
		"every = \"1h30m\"":  90 * time.Minute,
		"every = \"720h\"":   720 * time.Hour,
		"every = \"0\"":      time.Minute,
		"":                   time.Minute,
		"every = \"-1s\"":    -time.Second,
		"every = \"1.5h\"":   90 * time.Minute,
		"every = \"1d\"":     0,
		"every = \"\"":       0,
		"every = \"24\"":     0,
		"every = \"9e99h\"":  0,
		"every = [1]":        0,
		"every = {h = true}": 0,
	} {
		var c config
		_, err := toml.Decode(text, &c)
		switch {
		case want == 0:
			if err == nil {
				t.Errorf("%s is read as %v", text, time.Duration(c.Every))
			}
		case err != nil || c.Every.Or(time.Minute) != want:
			t.Errorf("%s is %v, %v; want %v", text, c.Every.Or(time.Minute), err, want)
		}
	}
	var b strings.Builder
	must(t, toml.NewEncoder(&b).Encode(config{Every: Duration(36 * time.Hour)}))
	if b.String() != "every = \"36h0m0s\"\n" {
		t.Errorf("written as %q", b.String())
	}
	b.Reset()
	must(t, toml.NewEncoder(&b).Encode(config{}))
	if b.String() != "" {
		t.Errorf("the default is written as %q", b.String())
	}
	for d, good := range map[Duration]bool{0: true, Duration(time.Second): true, Duration(time.Second - 1): false, -1: false} {
		if err := d.check("every", time.Second); (err == nil) != good || err != nil && !errors.Is(err, ErrConfig) {
			t.Errorf("%v: %v", time.Duration(d), err)
		}
	}
}
