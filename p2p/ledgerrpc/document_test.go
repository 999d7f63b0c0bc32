package ledgerrpc_test

import (
	"testing"

	"holdfast/p2p/ledgerrpc"
	"holdfast/p2p/rpc/rpctest"
)

func TestDocument(t *testing.T) { rpctest.Documented(t, "4", ledgerrpc.Refusals) }
