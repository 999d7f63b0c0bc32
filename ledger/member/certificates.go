package member

import (
	"sync"

	"holdfast/internal/ident"
	"holdfast/ledger"
)

// maxCertificates bounds how many certificates are remembered, of half a KiB each.
const maxCertificates = 4096

// certificates remembers node certificates whose signatures have been verified: of
// exactly these bytes, so that a signature is verified once.
type certificates struct {
	mu sync.Mutex
	m  map[signedName]ledger.NodeCertificate
}

type signedName struct {
	object    ident.CID
	signature ident.Signature
}

func (c *certificates) verify(s ident.Signed) (ledger.NodeCertificate, error) {
	name := signedName{s.CID(), s.Signature}
	c.mu.Lock()
	known, ok := c.m[name]
	c.mu.Unlock()
	if ok {
		return known, nil
	}
	n, err := ledger.VerifyNodeCertificate(s)
	if err != nil {
		return n, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= maxCertificates {
		c.m = map[signedName]ledger.NodeCertificate{}
	}
	c.m[name] = n
	return n, nil
}
