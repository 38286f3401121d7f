// Command infsh stores a team's API keys encrypted, and injects into a running
// app exactly those that the app declares.
//
// This package wires the others together: serve.go and admin.go have the
// commands that open a store, package cli has those that talk to a server.
package main

import (
	"context"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"infsh/cli"
)

// version is set by release builds with -ldflags "-X main.version=…".
var version = ""

func main() {
	os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Options{
		Version:  versionString(),
		Commands: []*cobra.Command{serveCommand(), adminCommand()},
	}))
}

func versionString() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}
