package member

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// Requests, opinions and certificates of releases are files, from which the database
// can be rebuilt; consents that were given are not, as votes are not:
//
//	request/<request hex>            a request, with the successor if it is about one
//	request/<opinion hex>.approve    an approval
//	request/<opinion hex>.veto       a veto
//	release/<release hex>            a release certificate
//	release/<release hex>.undo       an undo certificate
//
// They come before what the database says of them.

const undoSuffix = ".undo"

// caseFile is the content of a request's file.
type caseFile struct {
	V         uint64       `cbor:"v"`
	Request   ident.Signed `cbor:"request"`
	Successor ident.Signed `cbor:"successor,omitzero"`
}

const maxCaseFile = ledger.MaxRequest + ledger.MaxCharter + 2*ledger.MaxSmall

func (d dirs) requestPath(id ident.CID) string { return filepath.Join(d.request, id.Hex()) }

func (d dirs) opinionPath(id ident.CID, stance ledger.Stance) string {
	return d.requestPath(id) + "." + string(stance)
}

func (d dirs) releasePath(id ident.CID) string { return filepath.Join(d.release, id.Hex()) }

func (d dirs) undoPath(id ident.CID) string { return d.releasePath(id) + undoSuffix }

func (d dirs) writeRequest(request, successor ident.Signed) error {
	p, err := wire.Encode(caseFile{V: caseVersion, Request: request, Successor: successor})
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(d.requestPath(request.CID()), p, 0o600)
}

func (d dirs) readRequest(id ident.CID) (caseFile, error) {
	p, err := readFile(d.requestPath(id), maxCaseFile)
	if err != nil {
		return caseFile{}, err
	}
	var f caseFile
	if err := wire.DecodeVersion(p, caseVersion, &f); err != nil {
		return caseFile{}, fmt.Errorf("request %s: %w: %w", id, ErrCorrupt, err)
	}
	if f.Request.CID() != id {
		return caseFile{}, fmt.Errorf("request %s: %w: it is another request", id, ErrCorrupt)
	}
	return f, nil
}

func (d dirs) writeOpinion(stance ledger.Stance, s ident.Signed) error {
	p, err := wire.Encode(s)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(d.opinionPath(s.CID(), stance), p, 0o600)
}

func (d dirs) readOpinion(id ident.CID, stance ledger.Stance) (ident.Signed, error) {
	p, err := readFile(d.opinionPath(id, stance), 2*ledger.MaxSmall)
	if err != nil {
		return ident.Signed{}, err
	}
	var s ident.Signed
	if err := wire.Decode(p, &s); err != nil || s.CID() != id {
		return ident.Signed{}, fmt.Errorf("opinion %s: %w", id, ErrCorrupt)
	}
	return s, nil
}

// removeCase removes the files of a request. One that stays comes back when the
// database is rebuilt, and is too old to pass then.
func (v *vault) removeCase(c ledger.Case) {
	request := c.Asked().CID()
	err := os.Remove(v.dirs.requestPath(request))
	for stance, list := range opinionsOf(c) {
		for _, s := range list {
			err = errors.Join(err, os.Remove(v.dirs.opinionPath(s.CID(), stance)))
		}
	}
	if err != nil {
		v.store.cfg.Log.Warn("files of an old request are not removed", "vault", v.id, "request", request, "error", err)
	}
}
