package vault

import "holdfast/internal/armour"

// Labels of the texts (RFC 7468) in which machines hand each other what is no secret.
const (
	labelRequest = "HOLDFAST JOIN REQUEST"
	labelInvite  = "HOLDFAST INVITATION"
)

// ErrArmour says that a file is not the text that was asked for.
var ErrArmour = armour.ErrArmour
