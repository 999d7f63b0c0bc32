package ledger

import "time"

// Terms is what a release waits for.
type Terms struct {
	Retention, Cooling, Trash time.Duration
	Expiry                    Expiry // zero: nothing expires without guardians
}

// Strictest returns the strictest terms of charters: all that were in force since the
// first target of a request was certified. There is at least one.
//
// SPEC: A release obeys the strictest charter in force since its targets were
// certified.
func Strictest(charters ...Charter) Terms {
	t := charters[0].Terms()
	for _, c := range charters[1:] {
		u := c.Terms()
		t.Retention = max(t.Retention, u.Retention)
		t.Cooling = max(t.Cooling, u.Cooling)
		t.Trash = max(t.Trash, u.Trash)
		t.Expiry = t.Expiry.stricter(u.Expiry)
	}
	return t
}

// Terms returns the terms of one charter.
func (c Charter) Terms() Terms {
	return Terms{seconds(c.Retention), seconds(c.Cooling), seconds(c.Trash), c.Expiry}
}

// stricter returns what both allow.
func (e Expiry) stricter(f Expiry) Expiry {
	if e == (Expiry{}) || f == (Expiry{}) {
		return Expiry{}
	}
	return Expiry{After: max(e.After, f.After), Newer: max(e.Newer, f.Newer)}
}

func seconds(s int64) time.Duration { return time.Duration(s) * time.Second }
