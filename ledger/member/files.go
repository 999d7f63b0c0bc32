package member

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"holdfast/internal/atomicfile"
	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
)

// dirs is where a vault's files are:
//
//	<vault hex>/charter/<number>       a charter, as signed
//	<vault hex>/charter/<number>.link  how it came into force: its link with body and acks; none of the first
//	<vault hex>/entry/<entry hex>      a link with the body, and with the certificate unless the body is large
//	<vault hex>/entry/<entry hex>.cert a link with the certificate and without body, where the other has none
//	<vault hex>/placement/<receipt hex> a later placement
//	<vault hex>/request/...            see casefiles.go
//	<vault hex>/release/...            see casefiles.go
//	<vault hex>/confirmation/...       see confirmation.go
type dirs struct{ root, charter, entry, placement, request, release, confirmation string }

const (
	certSuffix = ".cert"
	linkSuffix = ".link"
)

func vaultDir(dir string, id ident.CID) dirs {
	root := filepath.Join(dir, id.Hex())
	return dirs{root, filepath.Join(root, "charter"), filepath.Join(root, "entry"), filepath.Join(root, "placement"),
		filepath.Join(root, "request"), filepath.Join(root, "release"), filepath.Join(root, "confirmation")}
}

// vaultDirs lists the folders of vaults.
func vaultDirs(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && isHex(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// isHex reports whether a name is that of a CID: 64 hexadecimal digits.
func isHex(name string) bool {
	return len(name) == 2*ident.HashSize && strings.Trim(name, "0123456789abcdef") == ""
}

// makeDir makes a folder that survives a crash.
func makeDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(path))
}

func (d dirs) make() error {
	for _, path := range []string{d.root, d.charter, d.entry, d.placement, d.request, d.release, d.confirmation} {
		if err := makeDir(path); err != nil {
			return err
		}
	}
	return nil
}

func (d dirs) charterPath(number int64) string {
	return filepath.Join(d.charter, strconv.FormatInt(number, 10))
}

func (d dirs) successionPath(number int64) string { return d.charterPath(number) + linkSuffix }

func (d dirs) entryPath(id ident.CID) string { return filepath.Join(d.entry, id.Hex()) }

func (d dirs) certPath(id ident.CID) string { return d.entryPath(id) + certSuffix }

func (d dirs) placementPath(id ident.CID) string { return filepath.Join(d.placement, id.Hex()) }

func (d dirs) writeCharter(number int64, s ident.Signed) error {
	p, err := wire.Encode(s)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(d.charterPath(number), p, 0o600)
}

// writeSuccession keeps the newest charter of a chain, and the link that brought it.
func (d dirs) writeSuccession(chain ledger.Chain, link []byte) error {
	number := int64(chain.Len())
	if err := d.writeCharter(number, chain.Charters()[number-1]); err != nil {
		return err
	}
	return atomicfile.WriteFile(d.successionPath(number), link, 0o600)
}

// readSuccession returns a chain with the charter after its newest; the error says why
// that is not here.
func (d dirs) readSuccession(chain ledger.Chain) (ledger.Chain, []byte, error) {
	p, err := readFile(d.successionPath(int64(chain.Len()+1)), ledger.MaxLink)
	if err != nil {
		return chain, nil, err
	}
	l, err := ledger.ParseLink(p)
	if err == nil {
		chain, err = chain.Append(l)
	}
	return chain, p, err
}

func (d dirs) readCharter(number int64) (ident.Signed, error) {
	p, err := readFile(d.charterPath(number), ledger.MaxCharter+ledger.MaxSmall)
	if err != nil {
		return ident.Signed{}, err
	}
	var s ident.Signed
	if err := wire.Decode(p, &s); err != nil {
		return ident.Signed{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return s, nil
}

// writeEntry keeps an entry with its body, and returns the file's size. The file
// survives a crash.
func (d dirs) writeEntry(id ident.CID, l ledger.Link) (int64, error) {
	p, err := l.Encode()
	if err != nil {
		return 0, err
	}
	return int64(len(p)), atomicfile.WriteFile(d.entryPath(id), p, 0o600)
}

// readEntry returns an entry with its body. Whatever is not what the name says, by
// digest and signature, is ErrCorrupt.
func (d dirs) readEntry(id ident.CID, chain ledger.Chain) (ledger.Link, ledger.Entry, error) {
	l, e, _, err := readLink(d.entryPath(id), id, chain)
	if err == nil && l.Body == nil {
		err = fmt.Errorf("entry %s: %w: no body", id, ErrCorrupt)
	}
	return l, e, err
}

// readLink reads a link from a file and verifies all that is in it.
func readLink(path string, id ident.CID, chain ledger.Chain) (ledger.Link, ledger.Entry, ledger.Certificate, error) {
	fail := func(err error) (ledger.Link, ledger.Entry, ledger.Certificate, error) {
		return ledger.Link{}, ledger.Entry{}, ledger.Certificate{}, fmt.Errorf("entry %s: %w: %w", id, ErrCorrupt, err)
	}
	p, err := readFile(path, ledger.MaxLink)
	if err != nil {
		return fail(err)
	}
	l, err := ledger.ParseLink(p)
	if err != nil {
		return fail(err)
	}
	e, c, err := chain.Verify(l)
	if err == nil && e.CID() != id {
		err = errors.New("it is another entry")
	}
	if err != nil {
		return fail(err)
	}
	return l, e, c, nil
}

// whole reports whether an entry's file is there and has its size. What is in it is
// looked at when it is read.
func (d dirs) whole(id ident.CID, size int64) error {
	fi, err := os.Stat(d.entryPath(id))
	if err == nil && fi.Size() != size {
		err = fmt.Errorf("%d bytes of %d", fi.Size(), size)
	}
	if err != nil {
		return fmt.Errorf("entry %s: %w: %w", id, ErrCorrupt, err)
	}
	return nil
}

func readFile(path string, limit int64) ([]byte, error) {
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrCorrupt, filepath.Base(path))
	}
	if err != nil {
		return nil, err
	}
	if fi.Size() > limit {
		return nil, fmt.Errorf("%w: %d bytes", ledger.ErrTooLarge, fi.Size())
	}
	return os.ReadFile(path)
}

// hexCID returns the CID of a structure whose digest a name is: isHex(name).
func hexCID(name string) ident.CID {
	var hash [ident.HashSize]byte
	hex.Decode(hash[:], []byte(name))
	return ident.NewCID(ident.DagCBOR, hash)
}
