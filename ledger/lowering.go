package ledger

import (
	"bytes"
	"fmt"

	"holdfast/internal/ident"
)

// Lowers names every way in which next gives less protection than prev, or changes
// who may say so; none if there is no such way. Base is the charter whose members
// count: the vault's first, or the last that waited. What lowers waits for the
// approvals of guardians and for the cooling-off: see CheckLowering.
func Lowers(base, prev, next Charter) []string {
	var why []string
	why = append(why, lowersMembers(base, next)...)
	why = append(why, lowersGuardians(prev, next)...)
	why = append(why, lowersTimes(prev, next)...)
	// SPEC: n-k of the code lowered
	if spare, was := next.Code.N-next.Code.K, prev.Code.N-prev.Code.K; spare < was {
		why = append(why, fmt.Sprintf("new data survives the loss of %d shards instead of %d", spare, was))
	}
	return why
}

// SPEC: more than f members replaced since the last change that waited. A member is
// an operator's node; a new vote key of it counts for nothing.
func lowersMembers(base, next Charter) []string {
	var why []string
	most := base.Faults()
	if n := absent(base, next); n > most {
		why = append(why, fmt.Sprintf("%d members are removed, %d may be", n, most))
	}
	if n := absent(next, base); n > most {
		why = append(why, fmt.Sprintf("%d members are added, %d may be", n, most))
	}
	return why
}

// absent counts a's members that b does not have.
func absent(a, b Charter) int {
	n := 0
	for _, m := range a.Members {
		if o, ok := b.Member(m.Operator); !ok || o.Node != m.Node {
			n++
		}
	}
	return n
}

// SPEC: any guardian removed, replaced or added to a set that is not empty. A share,
// an envelope or a place in the list that is another makes another guardian: the old
// one recovers nothing.
func lowersGuardians(prev, next Charter) []string {
	if len(prev.Guardians) == 0 {
		return nil
	}
	var why []string
	was := make(map[ident.PublicKey]int, len(prev.Guardians))
	for i, g := range prev.Guardians {
		was[g.Key] = i
	}
	for i, g := range next.Guardians {
		old, ok := was[g.Key]
		delete(was, g.Key)
		switch {
		case !ok:
			why = append(why, fmt.Sprintf("guardian %q is added", g.Name))
		case old != i || !sameGuardian(prev.Guardians[old], g):
			why = append(why, fmt.Sprintf("guardian %q gets another share", g.Name))
		}
	}
	// The secret that the shares open: another one would leave them worth nothing.
	if !bytes.Equal(next.Secret, prev.Secret) {
		why = append(why, "the guardians' shares open another secret")
	}
	for _, g := range prev.Guardians {
		if _, ok := was[g.Key]; ok {
			why = append(why, fmt.Sprintf("guardian %q is removed", g.Name))
		}
	}
	if next.Threshold < prev.Threshold {
		why = append(why, fmt.Sprintf("%d approvals are enough instead of %d", next.Threshold, prev.Threshold))
	}
	return why
}

func sameGuardian(a, b Guardian) bool {
	return a.Name == b.Name && a.Key == b.Key && a.Share == b.Share && bytes.Equal(a.Envelope, b.Envelope)
}

func lowersTimes(prev, next Charter) []string {
	var why []string
	for _, t := range []struct {
		name      string
		was, will int64
	}{
		{"retention", prev.Retention, next.Retention},
		{"cooling-off", prev.Cooling, next.Cooling},
		{"time in the trash", prev.Trash, next.Trash},
	} {
		if t.will < t.was {
			why = append(why, fmt.Sprintf("the %s is %d s instead of %d s", t.name, t.will, t.was))
		}
	}
	// SPEC: routine expiry introduced or widened
	switch {
	case next.Expiry == Expiry{}:
	case prev.Expiry == Expiry{}:
		why = append(why, "routine expiry is introduced")
	case next.Expiry.After < prev.Expiry.After || next.Expiry.Newer < prev.Expiry.Newer:
		why = append(why, "routine expiry is widened")
	}
	return why
}

// Appoints reports whether next gives a vault its first guardians.
func Appoints(prev, next Charter) bool { return len(prev.Guardians) == 0 && len(next.Guardians) > 0 }

// CheckLowering says whether a successor must wait before members freeze for it: for
// the approvals of guardians and the cooling-off if it lowers protection, for the
// cooling-off alone if it appoints the first guardians. What can never pass is
// ErrForbidden.
func CheckLowering(base, prev, next Charter) (waits bool, err error) {
	why := Lowers(base, prev, next)
	// SPEC: without guardians there is no lowering at all
	if len(why) > 0 && len(prev.Guardians) == 0 {
		return true, fmt.Errorf("%w: without guardians no protection is lowered: %s", ErrForbidden, why[0])
	}
	return len(why) > 0 || Appoints(prev, next), nil
}
