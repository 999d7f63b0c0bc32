package main

import (
	"io/fs"
	"strings"
	"syscall"

	"holdfast/erasure"
	"holdfast/ledger"
	"holdfast/ledger/witness"
	"holdfast/node"
	"holdfast/p2p"
	"holdfast/p2p/shardrpc"
	"holdfast/seal"
	"holdfast/store"
	"holdfast/store/disk"
	"holdfast/testnet"
	"holdfast/testnet/scenario"
	"holdfast/vault"
	"holdfast/vault/guardian"
	"holdfast/vault/object"
	"holdfast/vault/snapshot"
)

// cause says how an error of the packages below ends the program, and what to do.
type cause struct {
	err  error
	exit exit
	hint string
}

// causes is looked through from the top: the first that an error wraps decides.
func causes() []cause {
	return []cause{
		{errCommand, exitFailed, "the last good snapshot is still there: holdfast snapshots"},

		{node.ErrNoCertificate, exitConfig, "holdfast node request asks the operator for one, and holdfast node certificate installs it"},
		{node.ErrRequest, exitConfig, "give the file that holdfast node request has written"},
		{node.ErrCertificateFile, exitConfig, "ask the operator again: holdfast node request, holdfast operator certify"},
		{node.ErrRoster, exitConfig, "correct the roster: each operator once, with one key and one name"},
		{node.ErrAllow, exitConfig, "correct allow.toml, or remove it and use holdfast node allow"},
		{node.ErrGrant, exitConfig, "give the file that holdfast operator grant has written with the key of this node's operator"},
		{node.ErrDrainReceipt, exitIntegrity, "get the file again from the node's folder; what it says is not shown"},
		{node.ErrAway, exitUsage, "give a time within the next 7 days"},
		{node.ErrReason, exitUsage, "give another --reason, or none"},

		{vault.ErrWrongWords, exitWrongPhrase, "check the words against the kit, or name the vault that they belong to"},
		{seal.ErrPhrase, exitWrongPhrase, "check the words against the kit: 24 words of BIP-39's English list"},
		{vault.ErrKit, exitWrongPhrase, "give the recovery kit, or a file with nothing but the 24 words"},
		{guardian.ErrSecret, exitIntegrity, "the owner put something else into the charter: recover with the phrase, and tell the guardians"},
		{guardian.ErrEnvelope, exitIntegrity, "the owner put something else into the envelope: tell the owner and the other guardians"},
		{guardian.ErrKeyMode, exitConfig, "chmod 600 the file"},
		{guardian.ErrKeyFile, exitWrongPhrase, "give the file that holdfast guardian init has written, or a copy of it"},
		{guardian.ErrPublicFile, exitConfig, "ask the guardian for the .pub file that holdfast guardian init has written"},
		{guardian.ErrThreshold, exitUsage, "name at least two guardians, and a threshold from 2 to their number"},
		{guardian.ErrTwice, exitUsage, "each guardian has a name and a key of his own: holdfast guardian init --name NAME"},
		{guardian.ErrName, exitUsage, "choose another name"},
		{guardian.ErrWrongKey, exitWrongPhrase, "give the key of one of this vault's guardians, or name the vault that it belongs to: holdfast vault show lists them"},
		{guardian.ErrForeign, exitWrongPhrase, "give shares of one vault: each file names the vault that it belongs to"},
		{guardian.ErrOtherSplit, exitWrongPhrase, "the guardians have changed between these shares: give shares of the same set, or the guardians' keys"},
		{guardian.ErrDuplicate, exitWrongPhrase, "give the shares of different guardians"},
		{guardian.ErrTooFew, exitWrongPhrase, "ask another guardian: repeat --share for each"},
		{guardian.ErrShare, exitWrongPhrase, "compare the letters with the paper, or ask the guardian for: holdfast guardian share show"},
		{guardian.ErrNoSecret, exitWrongPhrase, "this vault can be recovered with its phrase alone: holdfast recover --phrase-file FILE"},
		{vault.ErrUnnamed, exitUsage, "name the vault by its ID: holdfast recover VAULT --share FILE --share FILE --bootstrap ADDR"},
		{vault.ErrManyVaults, exitNoVault, "name one of them: holdfast recover VAULT"},
		{vault.ErrOnlyPartial, exitFailed, "name one by its ID to get what it holds: holdfast snapshots; the same backup command continues the newest"},
		{vault.ErrNoSnapshot, exitFailed, "holdfast snapshots lists what there is"},
		{vault.ErrManySnapshots, exitUsage, "give more digits of the ID"},
		{vault.ErrAmbiguous, exitUsage, "choose one with --vault"},
		{vault.ErrNoVault, exitNoVault, "holdfast vault list shows what this machine knows; vault create, vault join and recover add to it"},
		{vault.ErrExists, exitUsage, "choose another name (with --name for join and recover)"},
		{vault.ErrName, exitUsage, "choose another name"},
		{vault.ErrDeclined, exitFailed, "nothing was made; --operators FILE limits the choice"},
		{vault.ErrNoRequest, exitFailed, "holdfast release list --all lists what there is"},
		{vault.ErrManyRequests, exitUsage, "give more digits of the request's ID"},
		{vault.ErrNothingReleased, exitFailed, "what is not carried out yet is ended by a veto: holdfast release veto REQUEST"},
		{vault.ErrNoSay, exitNoRight, "guardians approve, and any of them can veto; without guardians the owner and devices with full rights can veto"},
		{vault.ErrReleased, exitFailed, "no snapshot was made; the same command sends it all again"},
		{ledger.ErrVetoed, exitForbidden, "it was vetoed: holdfast release show REQUEST; only a new request can pass"},
		{ledger.ErrSettled, exitForbidden, "it came to nothing: holdfast release show REQUEST says why; only a new request can pass"},
		{ledger.ErrNotPassed, exitForbidden, "holdfast release show REQUEST says what is missing, and until when"},
		{ledger.ErrRetention, exitForbidden, "nothing goes before its retention is over"},
		{ledger.ErrNotFree, exitForbidden, "other snapshots need it"},
		{ledger.ErrClockDoubt, exitForbidden, "members whose clock is in doubt let go of nothing; their operators see it in node status"},
		{ledger.ErrTooLate, exitForbidden, "the trash time is over, and the bytes are gone"},

		{vault.ErrBusy, exitBusy, "wait until it is done"},
		{vault.ErrNoRight, exitNoRight, "use a device with the right, or enrol this one anew with the words"},
		{vault.ErrArmour, exitConfig, "give the file that holdfast vault join --request, or vault device add, has written"},
		{vault.ErrNotInvited, exitConfig, "take it to the machine that has written the request, or write a new request here"},
		{vault.ErrMismatch, exitIntegrity, "get the file from the vault's owner again"},
		{vault.ErrNotEnrolled, exitNoRight, "ask the owner to add this machine again: holdfast vault device add"},
		{vault.ErrNotRotated, exitNetwork, "the same command goes on when more members are up"},
		{vault.ErrWaits, exitForbidden, "guardians approve or veto it: holdfast guardian approve REQUEST; the same command completes it when it has passed"},
		{vault.ErrUnguarded, exitForbidden, "appoint guardians first: holdfast vault change --guardian FILE.pub ... --threshold M"},
		{vault.ErrNoMember, exitUsage, "holdfast vault show lists the members"},
		{vault.ErrNoOperator, exitUsage, "name an operator by his public key: holdfast vault show, holdfast node status"},
		{ledger.ErrLowers, exitForbidden, "ask for it first: holdfast vault change"},
		{vault.ErrNoDevice, exitUsage, "holdfast vault device list shows them"},
		{vault.ErrManyDevices, exitUsage, "name it by its key: holdfast vault device list --json"},
		{vault.ErrIntegrity, exitIntegrity, "run holdfast check --read-data"},
		{vault.ErrFork, exitIntegrity, "somebody shows a history that cannot be; keep the message and look at the members"},
		{vault.ErrProfile, exitConfig, "recover or join again under another name, with the words"},

		{snapshot.ErrNoSource, exitFailed, "nothing that was named could be read; no snapshot was made"},
		{snapshot.ErrNotFound, exitFailed, "holdfast ls SNAP shows what is in it"},
		{snapshot.ErrFull, exitFull, "make room and run the same command again; it continues"},

		{object.ErrFull, exitFull, "the operators have no room: ask for more, or wait"},
		{object.ErrTooFewHolders, exitNetwork, "try again when more nodes are up"},
		{object.ErrLost, exitLost, "other snapshots may be whole: holdfast check lists what is lost"},
		{object.ErrOutOfReach, exitOutOfReach, "try again when more nodes are up; holdfast status says how many answer"},
		{object.ErrIllCoded, exitIntegrity, "restore from another snapshot; the device that wrote it is to blame"},
		{object.ErrUnreadable, exitIntegrity, "restore from another snapshot"},
		{object.ErrUnknownChunk, exitOutOfReach, "part of the index is out of reach; try again when more nodes are up"},

		{vault.ErrTooFewNodes, exitNetwork, "start more nodes, or wait until those that are down are back"},
		{vault.ErrNoQuorum, exitNetwork, "nothing was acknowledged; try again when more members are up"},
		{vault.ErrNetwork, exitNetwork, "check the bootstrap addresses and that nodes are up"},
		{p2p.ErrUnreachable, exitNetwork, "check the bootstrap addresses and that nodes are up"},
		{p2p.ErrConfig, exitConfig, "correct the addresses or the name of the network"},
		{p2p.ErrNetwork, exitConfig, "the node belongs to another network: check --network"},

		{ledger.ErrNotProof, exitConfig, "give a file that holdfast receipt has written; a newer one may need a newer holdfast"},
		{ledger.ErrProof, exitIntegrity, "get the file again from who made it; what it says is not shown"},
		{witness.ErrProof, exitIntegrity, "get the checkpoint again from who made it; the receipt alone may still verify"},
		{shardrpc.ErrQuota, exitFull, "the device's quota is used up"},
		{ledger.ErrRevoked, exitNoRight, "the owner has taken this device's rights; a new request makes it another device"},
		{shardrpc.ErrRevoked, exitNoRight, "the owner has taken this device's rights; a new request makes it another device"},
		{node.ErrNoVolume, exitUsage, "holdfast node volume list shows what there is"},
		{node.ErrVolumeTaken, exitUsage, "holdfast node volume list shows what there is; choose another --name"},
		{node.ErrMainVolume, exitUsage, "holdfast node pause pauses the node; a main volume that is lost: holdfast node resume --new-volume --operator FILE"},
		{node.ErrVolumeHolds, exitForbidden, "empty it first: holdfast node volume drain, until the list says drained; with --lost if its disk is gone for good"},
		{node.ErrVolumeAway, exitForbidden, "mount it again and drain it; if it is gone for good: --lost"},
		{node.ErrVolumeThere, exitForbidden, "only a volume that is gone is lost: drain this one"},
		{node.ErrNowhereToMove, exitFull, "add a volume first: holdfast node volume add"},
		{node.ErrNotEmpty, exitUsage, "name an empty folder, as the mount point of a new disk"},
		{disk.ErrVolumeExists, exitUsage, "name an empty folder; a volume of another node is not taken over"},
		{store.ErrFull, exitFull, "offer more with --capacity"},
		{store.ErrPaused, exitConfig, "mount the volume; if it is lost: holdfast node resume --new-volume --operator FILE"},
		{ledger.ErrExpired, exitClock, "check this machine's clock and the node's certificate"},
		{syscall.ENOSPC, exitFull, "make room on this machine's disk; the cache can be deleted at any time"},
		{syscall.EROFS, exitFailed, "let HOLDFAST_HOME and HOLDFAST_CACHE name folders that can be written"},
		{fs.ErrPermission, exitFailed, "look at who owns what is named; HOLDFAST_HOME and HOLDFAST_CACHE name this machine's own folders"},
		{erasure.ErrCode, exitUsage, "a lawful code has k at most n/2, as 4/8"},

		{node.ErrNodeExists, exitUsage, "name an empty folder"},
		{node.ErrVolumeInUse, exitUsage, "only a volume that is lost is replaced"},
		{node.ErrNoNode, exitUsage, "make one with holdfast node init, or name another folder with --dir"},
		{node.ErrRunning, exitBusy, "stop the node first, or wait until it has stopped"},
		{node.ErrUnfinished, exitConfig, "repeat what was interrupted: holdfast node resume --new-volume --operator FILE"},
		{node.ErrNotRunning, exitFailed, "start it with holdfast node run"},
		{node.ErrSilent, exitFailed, "it is held or overloaded: look at its process and its log"},
		{node.ErrName, exitUsage, "choose another name"},
		{node.ErrKeyFile, exitConfig, "name a key file of the right kind"},
		{node.ErrKeyMode, exitConfig, "chmod 600 the file"},
		{node.ErrConfig, exitConfig, "correct node.toml"},

		{testnet.ErrConfig, exitUsage, "see holdfast testnet up --help"},
		{testnet.ErrExists, exitUsage, "name another folder, or end the network and remove its folder"},
		{testnet.ErrNoNetwork, exitUsage, "start one with holdfast testnet up --dir DIR"},
		{testnet.ErrNoNode, exitUsage, "holdfast testnet status lists the nodes"},
		{testnet.ErrHarm, exitUsage, "kill, stop, wipe, corrupt or fill"},
		{testnet.ErrNotReady, exitNetwork, "see node.log in the node's folder"},
		{scenario.ErrBroken, exitIntegrity, "this must not happen: keep the folder and the seed and tell the maintainers"},
		{testnet.ErrDiffers, exitIntegrity, "this must not happen: keep the folder and tell the maintainers"},
	}
}

// unknownCommand reads cobra's word for a command that there is not: in one line, and what
// it takes for meant.
func unknownCommand(err error) (message, similar string, ok bool) {
	message, rest, _ := strings.Cut(err.Error(), "\n")
	if _, list, found := strings.Cut(rest, "Did you mean this?"); found {
		similar = "did you mean " + strings.Join(strings.Fields(list), " or ") + "? "
	}
	return message, similar, strings.HasPrefix(message, "unknown command")
}
