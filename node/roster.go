package node

import (
	"errors"
	"fmt"
	"time"

	"github.com/BurntSushi/toml"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/p2p"
)

// This file holds the one rule of which operators a node has dealings with. A network
// is open, or every node of it has the same list of operators: the roster.

// ErrRoster says that a roster cannot be used: it is malformed, or an operator stands
// in it with two keys, or under two names.
var ErrRoster = errors.New("the roster cannot be used")

// The words of node.toml for who is admitted.
const (
	AdmissionOpen   = "open"
	AdmissionRoster = "roster"

	rosterLimit  = 4 << 20
	maxOperators = 4096
)

// roster is who is admitted, by key. The zero value admits everybody.
type roster struct {
	closed bool
	names  map[ident.PublicKey]listed
	keys   map[string]ident.PublicKey
}

type listed struct {
	name  string
	until time.Time // zero for no end
}

// rosterFile is what people write.
type rosterFile struct {
	Operators []struct {
		Key   string    `toml:"key"`
		Name  string    `toml:"name"`
		Until time.Time `toml:"until"`
	} `toml:"operator"`
}

// readRoster reads a roster. A file that is not there is an error: it does not mean
// that everybody is admitted, nor that nobody is.
func readRoster(path string) (roster, error) {
	text, err := readSmall(path, rosterLimit)
	if err != nil {
		return roster{}, fmt.Errorf("%w: %w", ErrRoster, err)
	}
	r, err := parseRoster(string(text))
	if err != nil {
		return r, fmt.Errorf("%w: %s: %w", ErrRoster, path, err)
	}
	return r, nil
}

func parseRoster(text string) (roster, error) {
	var f rosterFile
	meta, err := toml.Decode(text, &f)
	if err != nil {
		return roster{}, err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return roster{}, fmt.Errorf("unknown key %q", unknown[0].String())
	}
	if len(f.Operators) == 0 || len(f.Operators) > maxOperators {
		return roster{}, fmt.Errorf("%d operators, not 1 to %d", len(f.Operators), maxOperators)
	}
	r := roster{closed: true, names: map[ident.PublicKey]listed{}, keys: map[string]ident.PublicKey{}}
	for _, o := range f.Operators {
		key, err := ident.ParsePublicKey(o.Key)
		if err == nil && !validName(o.Name) {
			err = ErrName
		}
		if err == nil {
			err = r.add(key, listed{o.Name, o.Until})
		}
		if err != nil {
			return roster{}, fmt.Errorf("operator %.80q: %w", o.Name, err)
		}
	}
	return r, nil
}

// add puts one operator on the list.
//
// SPEC: an operator is one key and one name. Shards are spread, and votes are counted,
// by operator: who stood there twice would count twice.
func (r *roster) add(key ident.PublicKey, l listed) error {
	if before, ok := r.names[key]; ok {
		return fmt.Errorf("the key %s stands there twice: as %q and as %q", key, before.name, l.name)
	}
	if before, ok := r.keys[l.name]; ok {
		return fmt.Errorf("the name stands there twice: with the key %s and with %s", before, key)
	}
	r.names[key], r.keys[l.name] = l, key
	return nil
}

// admit judges the certificate of a node, the operator's own word: it must name him as
// the roster does. The error wraps p2p.ErrAdmission.
func (r roster) admit(c ledger.NodeCertificate, now time.Time) error {
	if !r.closed {
		return nil
	}
	l, ok := r.names[c.Operator]
	other, known := r.keys[c.Name]
	switch {
	case !ok && known:
		return fmt.Errorf("%w: %q is on the roster with the key %s, not %s", p2p.ErrAdmission, c.Name, other, c.Operator)
	case !ok:
		return fmt.Errorf("%w: %q (%s) is not on the roster", p2p.ErrAdmission, c.Name, c.Operator)
	case l.name != c.Name:
		return fmt.Errorf("%w: the key %s is %q on the roster, and its certificate says %q", p2p.ErrAdmission, c.Operator, l.name, c.Name)
	case over(l.until, now):
		return fmt.Errorf("%w: %q was on the roster until %s", p2p.ErrAdmission, c.Name, l.until.Format(time.DateOnly))
	}
	return nil
}
