package node

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Rate is bytes a second in node.toml, as text: "20MiB", "500KB", "100Mbit", or a number
// of bytes. Zero, which is what a key that is not there has, is no limit.
type Rate int64

// rateUnits in the order in which a suffix is looked for.
var rateUnits = []struct {
	suffix string
	bytes  float64
}{
	{"kbit", 1e3 / 8}, {"Mbit", 1e6 / 8}, {"Gbit", 1e9 / 8},
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Rate) UnmarshalText(text []byte) error {
	number, unit := strings.TrimSpace(string(text)), 1.0
	for _, u := range rateUnits {
		if rest, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n*unit >= 0 && n*unit < math.MaxInt64) {
		return fmt.Errorf("%q is no rate like \"20MiB\" or \"100Mbit\", which is meant by the second", text)
	}
	*r = Rate(n * unit)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (r Rate) MarshalText() ([]byte, error) {
	for _, u := range []struct {
		suffix string
		bytes  Rate
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if r >= u.bytes && r%u.bytes == 0 {
			return fmt.Appendf(nil, "%d%s", r/u.bytes, u.suffix), nil
		}
	}
	return strconv.AppendInt(nil, int64(r), 10), nil
}
