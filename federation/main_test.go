package federation_test

import (
	"os"
	"testing"

	"infsh/db/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }
