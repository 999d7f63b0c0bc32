package seal

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestSecretsNeverPrint prints every kind of secret in every way that logs and
// errors print.
func TestSecretsNeverPrint(t *testing.T) {
	e := Entropy{0xab, 0xcd, 0xef, 0x12}
	id, err := NewIdentity(e)
	if err != nil {
		t.Fatal(err)
	}
	keys := Keys{e, e, e}
	key := FileKey(e[:16])
	type holder struct {
		E Entropy
		K Keys
		I Identity
		F FileKey
		P *Keys
	}
	values := map[string]any{
		"entropy": e, "keys": keys, "identity": id, "file key": key,
		"pointer": &e, "pointer to keys": &keys, "pointer to identity": &id,
		"struct": holder{e, keys, id, key, &keys}, "slice": []Entropy{e}, "map": map[string]Keys{"": keys},
		"unexported identity": struct{ id Identity }{id},
	}
	var out strings.Builder
	for name, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%t", "%c", "%U", "%200v", "%.3x"} {
			out.Reset()
			fmt.Fprintf(&out, verb, v)
			checkHidden(t, name+" as "+verb, out.String(), e, id)
		}
		out.Reset()
		fmt.Fprint(&out, v)
		fmt.Fprintln(&out, fmt.Errorf("failed with %v: %w", v, ErrSealed))
		checkHidden(t, name, out.String(), e, id)
	}
	for name, v := range map[string]any{"entropy": e, "keys": keys, "identity": id, "file key": key} {
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("start", "secret", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("start", "secret", v)
		checkHidden(t, name+" in a log", b.String(), e, id)
	}
}

func checkHidden(t *testing.T, what, out string, e Entropy, id Identity) {
	t.Helper()
	low := strings.ToLower(out)
	for _, form := range []string{
		hex.EncodeToString(e[:4]), "ab cd ef", "ab, 0xcd", "171 205", "171, 205", "171,205", "253 315", "10101011 11001101",
		string(e[:4]), "secret-key", strings.ToLower(id.p.age.String()), "u+00ab",
	} {
		if strings.Contains(low, form) {
			t.Errorf("%s tells the secret: %.80s", what, out)
		}
	}
}
