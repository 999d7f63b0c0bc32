package member

import (
	"bytes"
	"fmt"
	"slices"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// caseRecord is what is known of a request. Its times are this member's own.
type caseRecord struct {
	V         uint64       `cbor:"v"`
	Request   ident.Signed `cbor:"request"`
	Successor ident.Signed `cbor:"successor,omitzero"`
	First     int64        `cbor:"first"`              // ms, first sight
	Approved  int64        `cbor:"approved,omitempty"` // ms, first sight of the last approval needed
}

const caseVersion = 1

// caseOf returns the record of a request; ErrUnknownRequest if there is none.
func (x index) caseOf(request ident.CID) (caseRecord, error) {
	p := x.get(casesBucket, request.Bytes())
	if p == nil {
		return caseRecord{}, fmt.Errorf("%w: %s", ledger.ErrUnknownRequest, request)
	}
	var r caseRecord
	if err := wire.DecodeVersion(p, caseVersion, &r); err != nil {
		return caseRecord{}, fmt.Errorf("read request %s: %w: %w", request, ErrCorrupt, err)
	}
	return r, nil
}

func (x index) putCase(r caseRecord) error {
	r.V = caseVersion
	p, err := wire.Encode(r)
	if err != nil {
		return err
	}
	return x.put(casesBucket, r.Request.CID().Bytes(), p)
}

// opinionKey sorts the opinions about a request by stance and key: one of each key.
func opinionKey(request ident.CID, stance ledger.Stance, by ident.PublicKey) []byte {
	return slices.Concat(opinionPrefix(request, stance), by.Bytes())
}

func opinionPrefix(request ident.CID, stance ledger.Stance) []byte {
	return append(request.Bytes(), stance[0])
}

// opinions returns the opinions of one stance about a request.
func (x index) opinions(request ident.CID, stance ledger.Stance) ([]ident.Signed, error) {
	prefix := opinionPrefix(request, stance)
	var list []ident.Signed
	c := x.bucket(opinionsBucket).Cursor()
	for k, p := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, p = c.Next() {
		var s ident.Signed
		if err := wire.Decode(p, &s); err != nil {
			return nil, fmt.Errorf("read opinion: %w: %w", ErrCorrupt, err)
		}
		list = append(list, s)
	}
	return list, nil
}

// gather puts together what is known of a request. State and reason are not judged.
func (x index) gather(request ident.CID) (ledger.Case, error) {
	r, err := x.caseOf(request)
	if err != nil {
		return ledger.Case{}, err
	}
	c := ledger.Case{Request: r.Request, Successor: r.Successor, First: r.First, Approved: r.Approved}
	if c.Approvals, err = x.opinions(request, ledger.Approve); err != nil {
		return ledger.Case{}, err
	}
	if c.Vetoes, err = x.opinions(request, ledger.Veto); err != nil {
		return ledger.Case{}, err
	}
	if c.Releases, c.Undone, err = x.releasesOf(request); err != nil {
		return ledger.Case{}, err
	}
	return ledger.NewCase(c)
}

// requests returns the names of all requests that are kept.
func (x index) requests() ([]ident.CID, error) {
	var ids []ident.CID
	err := x.bucket(casesBucket).ForEach(func(k, _ []byte) error {
		id, err := ident.CIDFromBytes(k)
		ids = append(ids, id)
		return err
	})
	return ids, err
}
