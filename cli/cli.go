// Package cli is the command line: cobra commands over the JSON API, on the
// machine of a person or of a runner. It knows no package of the server's.
//
// Standard output carries data alone; questions, warnings and progress go to
// standard error. Every string that comes from a server is made inert before a
// terminal sees it.
package cli

import (
	"context"
	"io"
	"log/slog"
	"os"
	"regexp"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"infsh/runner"
)

// Options are what the command line has from its surroundings. The zero value
// is the process's own.
type Options struct {
	In       io.Reader
	Out, Err io.Writer
	// LookupEnv is os.LookupEnv but in tests.
	LookupEnv func(string) (string, bool)
	// Environ is os.Environ but in tests: what `infsh run` hands on.
	Environ func() []string
	Version string
	// Commands are added to the root: what needs the server's packages.
	Commands []*cobra.Command

	// The rest is replaced by the tests of this package.
	terminal *terminal
	sleep    func(context.Context, time.Duration) error
	openURL  func(string) error
	launch   launcher
	ring     keyring
	// projected is projectedToken but in tests.
	projected string
}

// program is one invocation.
type program struct {
	Options
	team  string
	debug bool
	log   *slog.Logger
	// started is set once a command's own code runs: an error before that is
	// one of usage.
	started bool
	// writeErr is the first failure to write to standard output.
	writeErr error
}

// New makes the root command. Errors of its Execute are for [Main], which
// prints them and knows their exit codes.
func New(opts Options) *cobra.Command {
	root, _ := build(opts)
	return root
}

// Main runs the command line and returns the exit code.
func Main(ctx context.Context, args []string, opts Options) int {
	root, p := build(opts)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !p.started && !isReported(err) {
		err = &usageError{msg: err.Error(), command: cmd.CommandPath()}
	}
	if err == nil {
		err = p.writeErr
	}
	return p.report(err)
}

func build(opts Options) (*cobra.Command, *program) {
	p := &program{Options: opts, log: slog.New(slog.DiscardHandler)}
	p.fillDefaults()
	root := &cobra.Command{
		Use:   "infsh",
		Short: "A team's secrets, from a page or a command into running apps",
		Long: `infsh keeps a team's API keys and credentials encrypted, and gives an app at
its start the ones that it declares.

The server is named by INFSH_URL (http://127.0.0.1:8080 if that is not set).
"infsh login" saves a login for it; INFSH_API_KEY, or INFSH_API_KEY_FILE for a
file that holds the key, comes before a saved login. Where there is neither,
"infsh run", "infsh env" and "infsh redact" exchange the token of the platform
that they run on (GitHub Actions, GitLab, Kubernetes), if the team trusts it:
docs/workload-identity.md.

Exit codes: 0 success; 1 failure; 2 wrong usage; 3 requirements not met;
4 permission denied or not logged in; 5 not found. "infsh run" otherwise exits
with its command's code.`,
		Example: `  infsh login
  infsh secrets set OPENAI_API_KEY
  infsh app check
  infsh run -- python main.py`,
		Version:       opts.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          group,
		PersistentPreRun: func(*cobra.Command, []string) {
			p.started = true
			if p.debug || isTrue(p.env("INFSH_DEBUG")) {
				p.log = slog.New(slog.NewTextHandler(p.Err, &slog.HandlerOptions{Level: slog.LevelDebug}))
			}
		},
	}
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	root.SetVersionTemplate("infsh {{.Version}}\n")
	root.PersistentFlags().StringVar(&p.team, "team", "", "team by its username (default INFSH_TEAM, else the key's or login's team)")
	root.PersistentFlags().BoolVar(&p.debug, "debug", false, "log each request's method, path, status and duration (or INFSH_DEBUG=1)")
	root.AddCommand(
		p.loginCommand(), p.logoutCommand(), p.meCommand(), p.teamsCommand(), p.apiKeysCommand(),
		p.secretsCommand(), p.appCommand(), p.runCommand(), p.agentCommand(), p.envCommand(), p.redactCommand(), p.scanCommand(), p.whyCommand(), p.integrationsCommand(), p.activityCommand(), p.webhooksCommand(), p.trustCommand(), p.manCommand(), p.versionCommand(),
	)
	root.AddCommand(opts.Commands...)
	return root, p
}

func (p *program) fillDefaults() {
	if p.In == nil {
		p.In = os.Stdin
	}
	if p.Out == nil {
		p.Out = os.Stdout
	}
	if p.Err == nil {
		p.Err = os.Stderr
	}
	if p.LookupEnv == nil {
		p.LookupEnv = os.LookupEnv
	}
	if p.Environ == nil {
		p.Environ = os.Environ
	}
	if p.Version == "" {
		p.Version = "development"
	}
	if p.terminal == nil {
		p.terminal = terminalOf(p.In, p.Out)
	}
	if p.sleep == nil {
		p.sleep = sleep
	}
	if p.openURL == nil {
		p.openURL = openInBrowser
	}
	if p.ring == nil {
		p.ring = systemKeyring{}
	}
	if p.projected == "" {
		p.projected = projectedToken
	}
	if p.launch == nil {
		p.launch = runner.Run
	}
}

// env is an environment variable, or "" if it is not set.
func (p *program) env(name string) string {
	value, _ := p.LookupEnv(name)
	return value
}

func isTrue(s string) bool { return s == "1" || s == "true" || s == "yes" }

// group is the action of a command that only holds others.
func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	// What does not look like a command may be a secret.
	if !commandLike().MatchString(args[0]) {
		return &usageError{msg: "there is no such command", command: cmd.CommandPath()}
	}
	msg := "there is no command " + quote(args[0])
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		msg += "; did you mean " + quote(near[0]) + "?"
	}
	return &usageError{msg: msg, command: cmd.CommandPath()}
}

var commandLike = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z-]{1,16}$`) })

// NoArgs is NoArgs, whose message repeats the argument, without that: it
// may be a password or an API key that belongs on standard input.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &usageError{msg: "this command takes flags only, and no other arguments", command: cmd.CommandPath()}
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  NoArgs,
		RunE: func(*cobra.Command, []string) error {
			p.printf("infsh %s\n", p.Version)
			return nil
		},
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
