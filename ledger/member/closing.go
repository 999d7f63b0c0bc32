package member

import (
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// Closing implements ledger.View. It costs by the number of spans; segments are named
// only when there are any to name.
func (v *view) Closing(s ledger.Set) (named []ident.CID, closing bool) {
	numbers := ledger.Numbers{}
	for _, l := range s.Lanes {
		spans, err := v.spans(closingBucket, l.Lane)
		if v.failed(err) {
			return nil, true
		}
		numbers.Add(l.Lane, spans.Common(l.Numbers))
	}
	if len(numbers) == 0 {
		return nil, false
	}
	named, err := v.closingNames(numbers)
	v.failed(err)
	return named, true
}

// closingNames finds some of the segments that are closing, in the releases that close
// them.
func (x index) closingNames(closing ledger.Numbers) ([]ident.CID, error) {
	var out []ident.CID
	err := x.bucket(listsBucket).ForEach(func(k, p []byte) error {
		id, err := ident.CIDFromBytes(k)
		if err != nil || len(out) > 0 {
			return err
		}
		rec, _, err := x.releaseOf(id)
		if err != nil || rec.Undone || len(rec.numbers().Common(closing)) == 0 {
			return err
		}
		r, err := ledger.ParseRelease(p)
		if err != nil {
			return err
		}
		out, err = x.named(r.Segments, closing)
		return err
	})
	return out, err
}
