package node

import (
	"fmt"
	"time"
)

// Duration is a span of time in node.toml, in the words of package time: "90s",
// "24h", "1h30m". Zero, which is what a key that is not there has, stands for the
// key's default.
type Duration time.Duration

// Or returns d, or otherwise if d is zero.
func (d Duration) Or(otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return time.Duration(d)
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration like \"90s\" or \"24h\"", text)
	}
	*d = Duration(parsed)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// check refuses what is below least. Zero is the default and always good.
func (d Duration) check(key string, least time.Duration) error {
	if d != 0 && time.Duration(d) < least {
		return fmt.Errorf("%w: %s must be at least %v", ErrConfig, key, least)
	}
	return nil
}
