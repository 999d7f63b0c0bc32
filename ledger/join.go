package ledger

import "holdfast/internal/ident"

// JoinRequest is what a machine hands to the vault's owner in order to become a
// device. Nothing in it is secret, and it names no vault: who grants decides which.
type JoinRequest struct {
	V       int64           `cbor:"v"`
	Device  ident.PublicKey `cbor:"device"`
	Name    string          `cbor:"name"`    // what the machine is called
	Index   string          `cbor:"index"`   // recipient of the lane's index identity
	Created int64           `cbor:"created"` // ms, the machine's clock; decides nothing
}

// SignJoinRequest signs r with the device's key, which is filled in. The signature
// shows that whoever asks has the key: nobody can have another one's key enrolled.
func SignJoinRequest(device ident.PrivateKey, r JoinRequest) (ident.Signed, error) {
	r.V, r.Device = version, device.Public()
	if err := r.validate(); err != nil {
		return ident.Signed{}, err
	}
	return sign(device, LabelJoin, ident.CID{}, MaxGrant, r)
}

// VerifyJoinRequest checks form and signature, the latter by the key inside.
func VerifyJoinRequest(s ident.Signed) (JoinRequest, error) {
	var r JoinRequest
	if err := parse(LabelJoin, s.Object, MaxGrant, &r); err != nil {
		return JoinRequest{}, err
	}
	if err := r.validate(); err != nil {
		return JoinRequest{}, err
	}
	return verified(r, check(s, r.Device, LabelJoin, ident.CID{}))
}

func (r JoinRequest) validate() error {
	switch {
	case !validName(r.Name):
		return invalid(LabelJoin, "name")
	case !validRecipient(r.Index):
		return invalid(LabelJoin, "index recipient")
	case !validTime(r.Created):
		return invalid(LabelJoin, "created %d", r.Created)
	}
	return nil
}
