package guardian

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// No verb of fmt and no logger prints a share or a key, in a struct or out of it.
func TestSecretsAreNeverPrinted(t *testing.T) {
	c := newCircle(t, "shop", 2, 3)
	s, k := c.shares(t)[0], c.keys[0]
	f := shareFileOf(s)
	approval, identity := k.Approval.Seed(), k.Identity.Seed()
	secrets := [][]byte{s.value[:], approval[:], identity[:]}
	for name, v := range map[string]any{
		"share": s, "key": k, "pointer": &s, "pointer to a key": &k, "file": f, "pointer to a file": &f, "contribution": Contribution{File: f, Key: k},
		"slice": []Share{s}, "map": map[string]Key{"": k}, "struct": struct{ S Share }{s},
	} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%o", "%b"} {
			fmt.Fprintf(&out, verb, v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("start", "secret", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("start", "secret", v)
		for _, p := range secrets {
			low := strings.ToLower(out.String())
			decimals := strings.Trim(fmt.Sprint(p[:4]), "[]")
			for _, form := range []string{hex.EncodeToString(p[:6]), decimals, strings.ReplaceAll(decimals, " ", ", "), string(p[:6]), s.Code()[10:30]} {
				if strings.Contains(low, form) {
					t.Errorf("%s: a secret is printed", name)
				}
			}
			if strings.Contains(out.String(), base64.StdEncoding.EncodeToString(p)[:8]) {
				t.Errorf("%s: a secret is printed", name)
			}
		}
	}
}
