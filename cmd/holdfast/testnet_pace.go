package main

import (
	"time"

	"holdfast/node"
)

// pace is how fast the nodes of a test network notice and repair: what takes a day in a
// real one can be watched.
type pace struct{ repairAfter, auditEvery time.Duration }

var hurried = pace{repairAfter: 30 * time.Second, auditEvery: 5 * time.Second}

// groupsOfRound is how many groups all members together ask of each holder in a round.
const groupsOfRound = 64

// set writes the pace into a node's configuration.
func (p pace) set(_ string, c *node.Config) {
	c.RepairAfter, c.AuditEvery = node.Duration(p.repairAfter), node.Duration(p.auditEvery)
	c.InventoryEvery = 2 * c.AuditEvery
	if p.repairAfter > 0 {
		c.RepairTurn = max(c.RepairAfter/3, node.Duration(time.Second))
	}
	if p.auditEvery > 0 {
		c.AuditSamples = int(24 * time.Hour * groupsOfRound / p.auditEvery)
	}
}
