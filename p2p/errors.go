package p2p

import "errors"

// Refusals and failures that callers tell apart.
var (
	// ErrUnreachable says that a node, or the whole network, cannot be reached now:
	// no address is known, nobody answers, or the connection broke.
	ErrUnreachable = errors.New("out of reach")
	// ErrBusy says that the other side is up, but takes no more streams at the
	// moment. Trying later helps.
	ErrBusy = errors.New("too many streams at once")
	// ErrReset says that the other side ended a stream without an answer.
	ErrReset = errors.New("the other side ended the stream")
	// ErrNetwork says that a node belongs to another network.
	ErrNetwork = errors.New("another network")
	// ErrCertificate says that a node has no certificate, or one that is malformed,
	// forged, expired, or made for another key.
	ErrCertificate = errors.New("no valid node certificate")
	// ErrAdmission says that this network's roster does not let an operator in.
	ErrAdmission = errors.New("the operator is not admitted")
	// ErrTwoOperators says that a node shows the certificate of one operator, and has
	// shown one of another that still holds. Shards of one operator are counted together,
	// so a node belongs to one as long as its certificate lasts.
	ErrTwoOperators = errors.New("the node has a certificate of another operator")
	// ErrRefused says that a node does not accept this one, and told why.
	ErrRefused = errors.New("refused by the node")
	// ErrHello says that a node's answer to the hello is malformed or of a version
	// that is not known here.
	ErrHello = errors.New("malformed hello")
	// ErrNotFound says that no answer holds what was asked for.
	ErrNotFound = errors.New("not found")
	// ErrNotNode says that only a node, with a certificate, may do this.
	ErrNotNode = errors.New("only for nodes")
	// ErrClosed says that the host has been closed.
	ErrClosed = errors.New("host is closed")
	// ErrConfig says that a configuration cannot be used.
	ErrConfig = errors.New("bad network configuration")
)
