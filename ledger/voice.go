package ledger

import (
	"fmt"
	"time"

	"holdfast/internal/ident"
)

// GrantView is what is known of a vault's devices.
type GrantView interface {
	// Charter returns the charter in force.
	Charter() Charter
	// Grant is View's.
	Grant(device ident.PublicKey) (g Grant, enrolled, revoked bool)
}

// CheckAsker decides whether a key may make a request.
//
// SPEC: by the owner, or a device with full rights; a charter, and anything in a
// vault without guardians, by the owner only
func CheckAsker(v GrantView, r Request, now time.Time) error {
	ch := v.Charter()
	switch {
	case r.By == ch.Owner:
		return nil
	case r.Kind == RequestCharter:
		return fmt.Errorf("%w: only the owner asks for a charter", ErrForbidden)
	case len(ch.Guardians) == 0 && r.Kind != RequestExpiry:
		return fmt.Errorf("%w: without guardians only the owner asks", ErrForbidden)
	}
	return checkFull(v, r.By, now)
}

// CheckVoice decides whether a key has a say about a request: guardians have, and
// where there are none the owner and devices with full rights may veto.
func CheckVoice(v GrantView, stance Stance, key ident.PublicKey, now time.Time) error {
	ch := v.Charter()
	if _, ok := ch.Guardian(key); ok {
		return nil
	}
	switch {
	case stance != Veto || len(ch.Guardians) > 0:
		return fmt.Errorf("%w: %s is no guardian", ErrForbidden, key)
	case key == ch.Owner:
		return nil
	}
	return checkFull(v, key, now)
}

// CheckUndoer decides whether a key may ask for a release to be taken back: the
// owner, guardians, and devices with full rights.
func CheckUndoer(v GrantView, key ident.PublicKey, now time.Time) error {
	ch := v.Charter()
	if _, ok := ch.Guardian(key); ok || key == ch.Owner {
		return nil
	}
	return checkFull(v, key, now)
}

func checkFull(v GrantView, key ident.PublicKey, now time.Time) error {
	g, enrolled, revoked := v.Grant(key)
	switch {
	case !enrolled || revoked:
		return fmt.Errorf("%w: %s is no device of the vault", ErrForbidden, key)
	case g.Rights != Full:
		return fmt.Errorf("%w: device %s has rights %s", ErrForbidden, key, g.Rights)
	}
	return g.ValidAt(now)
}
