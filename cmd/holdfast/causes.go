package main

import (
	"strings"

	"holdfast/erasure"
	"holdfast/ledger"
	"holdfast/node"
	"holdfast/p2p"
	"holdfast/p2p/shardrpc"
	"holdfast/seal"
	"holdfast/store"
	"holdfast/testnet"
	"holdfast/testnet/scenario"
	"holdfast/vault"
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

		{vault.ErrWrongWords, exitWrongPhrase, "check the words against the kit, or name the vault that they belong to"},
		{seal.ErrPhrase, exitWrongPhrase, "check the words against the kit: 24 words of BIP-39's English list"},
		{vault.ErrKit, exitWrongPhrase, "give the recovery kit, or a file with nothing but the 24 words"},
		{vault.ErrManyVaults, exitNoVault, "name one of them: holdfast recover VAULT"},
		{vault.ErrOnlyPartial, exitFailed, "name one by its ID to get what it holds: holdfast snapshots; the same backup command continues the newest"},
		{vault.ErrNoSnapshot, exitFailed, "holdfast snapshots lists what there is"},
		{vault.ErrManySnapshots, exitUsage, "give more digits of the ID"},
		{vault.ErrAmbiguous, exitUsage, "choose one with --vault"},
		{vault.ErrNoVault, exitNoVault, "holdfast vault list shows what this machine knows; vault create, vault join and recover add to it"},
		{vault.ErrExists, exitUsage, "choose another name (with --name for join and recover)"},
		{vault.ErrName, exitUsage, "choose another name"},
		{vault.ErrDeclined, exitFailed, "nothing was made; --operators FILE limits the choice"},
		{vault.ErrBusy, exitBusy, "wait until it is done"},
		{vault.ErrNoRight, exitNoRight, "use a device with the right, or enrol this one anew with the words"},
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

		{shardrpc.ErrQuota, exitFull, "the device's quota is used up"},
		{store.ErrFull, exitFull, "offer more with --capacity"},
		{store.ErrPaused, exitConfig, "mount the volume; if it is lost: holdfast node resume --new-volume --operator FILE"},
		{ledger.ErrExpired, exitClock, "check this machine's clock and the node's certificate"},
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

func isUnknownCommand(err error) bool {
	return strings.HasPrefix(err.Error(), "unknown command")
}
