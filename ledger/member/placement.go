package member

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"holdfast/erasure"
	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/ledger"
)

// AddPlacement keeps a later placement: the receipt of a holder that got shards by
// completion or repair, with the holder's certificate. Of two of one operator for one
// shard the newer is kept; one that is kept for no shard any more is forgotten. Which of
// several operators has the shard is what custody.Map.Settle makes of all. It is on the
// disk when AddPlacement returns nil.
func (s *Store) AddPlacement(vault ident.CID, receipt, cert ident.Signed) error {
	v, err := s.vault(vault)
	if err != nil {
		return err
	}
	l := ledger.Placement{V: 1, Receipt: receipt, Cert: cert}
	r, c, err := v.chain().VerifyPlacement(l)
	if err != nil {
		return fmt.Errorf("add placement: %w", err)
	}
	now := s.cfg.Now()
	if err := errors.Join(r.CheckLater(v.inForce(), now), ledger.CheckHolder(v.inForce(), c, now)); err != nil {
		return fmt.Errorf("add placement: %w", err)
	}
	if err := v.addPlacement(l, r, c); err != nil {
		return fmt.Errorf("add placement: %w", err)
	}
	return nil
}

// AdoptPlacement is AddPlacement for one that another member keeps: how a member that was
// away comes to know who holds what. It may be of a charter before the one in force, and
// its promise may be over: a holder keeps certified shards for longer than that. While this
// member doubts its clock, what seems to be from the future is ledger.ErrClockDoubt.
func (s *Store) AdoptPlacement(vault ident.CID, l ledger.Placement) error {
	v, err := s.vault(vault)
	if err != nil {
		return err
	}
	r, c, err := v.chain().VerifyPlacement(l)
	if err == nil {
		err = v.checkAdopted(r)
	}
	if err == nil {
		err = v.addPlacement(l, r, c)
	}
	if err != nil {
		return fmt.Errorf("adopt placement: %w", err)
	}
	return nil
}

// checkAdopted judges the time of a receipt that another member keeps.
func (v *vault) checkAdopted(r ledger.Receipt) error {
	err := r.CheckTime(v.store.cfg.Now())
	if doubt := v.store.cfg.Doubt(); err != nil && doubt != nil {
		return fmt.Errorf("%w: %w", ledger.ErrClockDoubt, doubt)
	}
	return err
}

func (v *vault) addPlacement(l ledger.Placement, r ledger.Receipt, c ledger.NodeCertificate) error {
	if len(r.Shards) > MaxLater {
		return fmt.Errorf("%w: %d shards", ledger.ErrTooLarge, len(r.Shards))
	}
	v.placing.Lock()
	defer v.placing.Unlock()
	id := l.Receipt.CID()
	counts := false
	err := v.read(func(x index) error {
		err := x.checkShards(r)
		if err == nil && x.get(receiptsBucket, id.Bytes()) == nil {
			counts, err = x.counts(ledger.Placing{Time: r.Time, Receipt: id}, r, c)
		}
		return err
	})
	if err != nil || !counts {
		return err
	}
	p, err := l.Encode()
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(v.dirs.placementPath(id), p, 0o600); err != nil {
		return err
	}
	var gone []ident.CID
	err = v.write(func(x index) error {
		var err error
		gone, err = x.place(id, r, c)
		return err
	})
	if err != nil {
		return err
	}
	for _, old := range gone {
		if err := os.Remove(v.dirs.placementPath(old)); err != nil {
			v.store.cfg.Log.Warn("placement is not removed", "vault", v.id, "receipt", old, "error", err)
		}
	}
	return nil
}

// checkShards holds that every shard of a receipt belongs to a certified segment.
func (x index) checkShards(r ledger.Receipt) error {
	for _, s := range r.Shards {
		state, _, err := x.state(s.Segment)
		if err != nil {
			return err
		}
		if state != ledger.SegmentCertified {
			return fmt.Errorf("%w: segment %s: %w", ledger.ErrReceipt, s.Segment, ErrNotYet)
		}
		in, _, err := x.introduction(s.Segment)
		if err != nil {
			return err
		}
		d, err := erasure.ParseDescriptor(in.descriptor)
		if err != nil {
			return err
		}
		if s.Index >= int64(len(d.Shards)) || d.Shards[s.Index] != s.Shard {
			return fmt.Errorf("%w: segment %s has no such shard %d", ledger.ErrReceipt, s.Segment, s.Index)
		}
	}
	return nil
}

func placementKey(segment ident.CID, shard int64, operator ident.PublicKey) []byte {
	return append(binary.BigEndian.AppendUint32(segment.Bytes(), uint32(shard)), operator.Bytes()...)
}

const placementShard = ident.CIDSize + 4 // what of a key names the shard

func parsePlacing(p []byte) (ledger.Placing, error) {
	if len(p) != 8+ident.CIDSize {
		return ledger.Placing{}, fmt.Errorf("read placement: %w", ErrCorrupt)
	}
	id, err := ident.CIDFromBytes(p[8:])
	return ledger.Placing{Time: int64(binary.BigEndian.Uint64(p)), Receipt: id}, err
}

// counts reports whether a receipt is its operator's newest for any of its shards.
func (x index) counts(this ledger.Placing, r ledger.Receipt, c ledger.NodeCertificate) (bool, error) {
	for _, s := range r.Shards {
		p := x.get(placementsBucket, placementKey(s.Segment, s.Index, c.Operator))
		if p == nil {
			return true, nil
		}
		was, err := parsePlacing(p)
		if err != nil || this.Newer(was) {
			return err == nil, err
		}
	}
	return false, nil
}

// place keeps a receipt for every shard for which it is its operator's newest, and
// returns the receipts that are kept for none any more, which may be this one.
func (x index) place(id ident.CID, r ledger.Receipt, c ledger.NodeCertificate) (gone []ident.CID, err error) {
	this := ledger.Placing{Time: r.Time, Receipt: id}
	counts := int64(0)
	for _, s := range r.Shards {
		key := placementKey(s.Segment, s.Index, c.Operator)
		if p := x.get(placementsBucket, key); p != nil {
			was, err := parsePlacing(p)
			if err != nil {
				return nil, err
			}
			if !this.Newer(was) {
				continue
			}
			left, err := x.release(was.Receipt)
			if err != nil {
				return nil, err
			}
			if left == 0 {
				gone = append(gone, was.Receipt)
			}
		}
		counts++
		x.touchSegments(s.Segment)
		if err := x.put(placementsBucket, key, append(number(this.Time), id.Bytes()...)); err != nil {
			return nil, err
		}
	}
	if counts == 0 {
		return append(gone, id), nil
	}
	return gone, x.enter(id, counts, c)
}

// Placements returns the later placements of a segment: for each shard the newest of each
// operator who has given one, without repetition, sorted by the receipts' names. The
// caller puts them together with what the entry's body says.
func (s *Store) Placements(vault, segment ident.CID) ([]ledger.Placement, error) {
	v, err := s.vault(vault)
	if err != nil {
		return nil, err
	}
	var receipts []ident.CID
	err = v.read(func(x index) error {
		prefix := segment.Bytes()
		c := x.bucket(placementsBucket).Cursor()
		for k, p := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, p = c.Next() {
			at, err := parsePlacing(p)
			if err != nil {
				return err
			}
			receipts = append(receipts, at.Receipt)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(receipts, ident.CID.Compare)
	var out []ledger.Placement
	for _, id := range slices.Compact(receipts) {
		l, counts, err := v.keptPlacement(id)
		if err != nil {
			return nil, err
		}
		if counts {
			out = append(out, l)
		}
	}
	return out, nil
}

// keptPlacement reads a later placement that counted a moment ago; false if a newer one
// has taken its place since, and its file with it.
func (v *vault) keptPlacement(id ident.CID) (ledger.Placement, bool, error) {
	l, _, _, failed := v.dirs.readPlacement(id, v.chain())
	if failed == nil {
		return l, true, nil
	}
	counts := false
	err := v.read(func(x index) error {
		counts = x.get(receiptsBucket, id.Bytes()) != nil
		return nil
	})
	if err == nil && counts {
		err = failed
	}
	return ledger.Placement{}, false, err
}

// readPlacement reads a later placement and verifies all that is in it.
func (d dirs) readPlacement(id ident.CID, chain ledger.Chain) (ledger.Placement, ledger.Receipt, ledger.NodeCertificate, error) {
	fail := func(err error) (ledger.Placement, ledger.Receipt, ledger.NodeCertificate, error) {
		return ledger.Placement{}, ledger.Receipt{}, ledger.NodeCertificate{}, fmt.Errorf("placement %s: %w: %w", id, ErrCorrupt, err)
	}
	p, err := readFile(d.placementPath(id), ledger.MaxPlacement)
	if err != nil {
		return fail(err)
	}
	l, err := ledger.ParsePlacement(p)
	if err != nil {
		return fail(err)
	}
	r, c, err := chain.VerifyPlacement(l)
	if err == nil && l.Receipt.CID() != id {
		err = errors.New("it is another placement")
	}
	if err != nil {
		return fail(err)
	}
	return l, r, c, nil
}
