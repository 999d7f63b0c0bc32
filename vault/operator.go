package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"holdfast/internal/ident"
)

// ErrNoOperator says that a word names no operator, or more than one.
var ErrNoOperator = errors.New("no operator is meant by that")

// minOperatorPrefix is the shortest beginning of a key that names an operator.
const minOperatorPrefix = 6

// FindOperator finds an operator by his public key, or, among the members and those
// whose nodes are up, by his name or the beginning of his key.
func (s *Session) FindOperator(ctx context.Context, ref string) (ident.PublicKey, error) {
	if key, err := ident.ParsePublicKey(ref); err == nil {
		return key, nil
	}
	var found []ident.PublicKey
	take := func(name string, key ident.PublicKey) {
		meant := name == ref || len(ref) >= minOperatorPrefix && (strings.HasPrefix(key.String(), ref) || strings.HasPrefix(key.Short(), ref))
		if meant && !slices.Contains(found, key) {
			found = append(found, key)
		}
	}
	for _, m := range s.charter.Members {
		take(m.Name, m.Operator)
	}
	if len(found) == 0 {
		nodes, err := s.host.Nodes(ctx)
		if err != nil && len(nodes) == 0 {
			return ident.PublicKey{}, fmt.Errorf("%w: %w", ErrNetwork, err)
		}
		for _, n := range nodes {
			take(n.Certificate.Name, n.Certificate.Operator)
		}
	}
	if len(found) != 1 {
		return ident.PublicKey{}, fmt.Errorf("%w: %s (%d are)", ErrNoOperator, ref, len(found))
	}
	return found[0], nil
}
