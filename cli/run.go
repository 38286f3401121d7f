package cli

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"infsh/api"
	"infsh/manifest"
	"infsh/redact"
	"infsh/runner"
)

// launcher is runner.Run but in tests.
type launcher func(context.Context, runner.Command) (int, error)

func (p *program) runCommand() *cobra.Command {
	var (
		app, file            string
		pristine, redactKeys bool
		verbose              bool
		watch                bool
		watchSignal          string
		grace                time.Duration
		dryRun               bool
		cacheDir             string
		maxStale             time.Duration
		mountDir             string
		agent                string
		mountOnDisk          bool
	)
	cmd := &cobra.Command{
		Use:   "run [--app NAMESPACE/NAME[@VERSION]] [-f FILE] -- COMMAND [ARG…]",
		Short: "Run a command with the secrets that its app declares",
		Long: `Starts COMMAND with its usual environment plus the secrets that the app
declares, and no others. Where both have a name, the secret wins, with a warning.
INFSH_API_KEY and the other INFSH_* variables are kept from it, and whatever else
holds this credential. Secret values in what it prints are replaced by [redacted],
and the team's activity says how often each was. On a terminal the command has a
terminal of its own, so that it prints and reads keys as without this program.

Without --app, the app is that of app.yaml (or inf.yml) in this folder, or of
FILE. It is registered first if its declarations have changed.

With --watch, the command is restarted with the new values when a secret that
it receives changes, or a grant, or the app's current version (unless a version
is named): it gets SIGTERM, and SIGKILL after --grace. With --watch-signal it
gets that signal instead, and keeps its environment: it asks for the values
itself. If something required is missing then, it runs on as it is, with a
warning. When the command ends by itself, so does the run. Standard input is not
repeated: a restarted command reads on where the one before stopped.

With --mount, the values are not in the command's environment but in files of
the folder DIR, one for each key and readable by this user alone, and KEY_FILE
names the file of KEY. DIR is made, or is there and empty, and must be on a
tmpfs (in $XDG_RUNTIME_DIR or /dev/shm) unless --mount-on-disk is given. At the
end, or when this program is killed, the files in DIR are removed. With --watch
they are rewritten before the command is restarted or told.

With --agent, or INFSH_AGENT, the run has no credential of its own, but asks the
"infsh agent" on that socket, as an app that is registered.

While the server is away nothing starts, unless --offline-cache names a folder:
there the last answer is kept, encrypted with a key from the credential, and is
used with a warning as long as it is not older than --max-stale. A server that
answers and refuses is never overruled. "infsh logout" deletes what is kept.

This holds on Linux. On macOS and Windows the command has no terminal of its own,
there is no --mount and no --agent, this program's memory is not kept from other
processes of the same user, and the command outlives it when it is killed; on
Windows no signals are passed on.

Without a key and a login, the run exchanges the platform's token for a credential
of 15 minutes, if the team trusts it for this app: the token that INFSH_ID_TOKEN
holds or INFSH_ID_TOKEN_FILE names, that GitHub Actions gives to a job with the
permission id-token: write, or that Kubernetes projects to
/var/run/secrets/infsh/token. The app is then run as it is registered. With --watch
another token is exchanged when the credential has ended.

If a required secret is missing, or waits for the team's approval, nothing
starts, and the exit code is 3.
Otherwise it is the command's, or 128+N if that died of signal N.`,
		Example: `  infsh run -- python main.py
  infsh run -f examples/summarizer/app.yaml -- ./summarize
  infsh run --app acme/summarizer -- ./summarize
  infsh run --watch -- ./agent`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !dryRun {
				return &usageError{msg: "which command? Name it after --: infsh run -- python main.py", command: cmd.CommandPath()}
			}
			if app != "" && file != "" {
				return &usageError{msg: "--app and --file name two different apps: give one of them", command: cmd.CommandPath()}
			}
			var tell os.Signal
			if watchSignal != "" {
				var ok bool
				if tell, ok = parseSignal(watchSignal); !ok {
					return &usageError{msg: "--watch-signal " + quote(watchSignal) + " is no signal that can be sent here: HUP and USR1 are", command: cmd.CommandPath()}
				}
				watch = true
			}
			if grace < 0 || grace > time.Hour {
				return &usageError{msg: "--grace is between 0s and 1h", command: cmd.CommandPath()}
			}
			if cacheDir != "" && watch || cacheDir == "" && cmd.Flags().Changed("max-stale") || maxStale <= 0 || maxStale > mostStale {
				return &usageError{msg: "--offline-cache goes without --watch, and --max-stale with --offline-cache, up to 720h", command: cmd.CommandPath()}
			}
			if mountOnDisk && mountDir == "" {
				return &usageError{msg: "--mount-on-disk goes with --mount", command: cmd.CommandPath()}
			}
			if dryRun {
				return p.dryRun(cmd.Context(), app, file)
			}
			// A short start leaves less garbage than its collection would cost; what
			// runs on holds little.
			debug.SetGCPercent(400)
			// Before there is a credential to protect from a debugger or a core.
			if err := runner.Harden(); err != nil {
				return err
			}
			var prepared *runner.Prepared
			if !watch { // whose first start waits for more than the resolve
				prepared = runner.Prepare()
				defer prepared.Close()
			}
			request := api.ResolveRequest{RunID: uuid.NewString()}
			if app != "" {
				var err error
				if request.App, request.Version, err = parseApp(app); err != nil {
					return err
				}
			}
			if agent == "" {
				agent = p.env("INFSH_AGENT")
			}
			if agent != "" && cacheDir != "" {
				return &usageError{msg: "--offline-cache needs the credential, which the agent keeps to itself: leave out one of them", command: cmd.CommandPath()}
			}
			connect := func() (*session, error) { return p.connectRun(cmd.Context(), request, file, cacheDir != "") }
			if agent != "" {
				connect = func() (*session, error) { return p.throughAgent(agent) }
			}
			s, err := connect()
			if err != nil {
				return err
			}
			var cache *offlineCache
			if cacheDir != "" {
				if cache, err = p.offline(s, cacheDir, maxStale, app, file); err != nil {
					return err
				}
			}
			switch {
			case s.platform != nil && app == "":
				// Such a credential registers nothing.
				if request.App, err = manifestApp(file); err != nil {
					return err
				}
			case app == "":
				request.App, request.Version, err = p.appHere(cmd.Context(), s, file)
				if err != nil && cache == nil {
					return err
				}
			}
			// Before anything is asked for that could not be handed over.
			var mount *runner.Mount
			if mountDir != "" {
				opened, err := runner.OpenMount(mountDir, mountOnDisk)
				if err != nil {
					return err
				}
				mount = opened
				defer func() {
					if err := mount.Close(); err != nil {
						p.notef("warning: %s", inert(err.Error()))
					}
				}()
			}
			w := &watched{p: p, s: s, request: request, signal: tell}
			watching, stop := context.WithCancel(context.WithoutCancel(cmd.Context()))
			defer stop()
			var changed <-chan struct{}
			if watch {
				if changed, err = w.follow(watching); err != nil {
					return runError(request.App, err)
				}
			}
			var resolved api.ResolveResponse
			if err == nil {
				resolved, err = s.Resolve(cmd.Context(), request)
			}
			switch {
			case cache != nil && err == nil:
				cache.keep(resolved)
			case cache != nil:
				if resolved, err = cache.instead(err); err == nil {
					resolved.RunID = request.RunID
				}
			}
			if err != nil {
				return runError(request.App, err)
			}
			if verbose {
				for _, key := range resolved.MissingOptional {
					p.notef("note: %s is optional and not there; infsh why %s --app %s", key, key, resolved.App)
				}
			}
			command := runner.Command{
				Argv: args, Secrets: needles(resolved), Credential: s.credential, Tokens: s.masked(), Withheld: s.withheld(),
				Pristine: pristine, MaskWithKeys: redactKeys, Grace: grace, Mount: mount,
				Prepared: prepared,
			}
			if !watch {
				command.Found = p.reporter(cmd.Context(), s, resolved)
				return p.start(context.WithoutCancel(cmd.Context()), command)
			}
			w.command, w.resolved = command, resolved
			return w.run(watching, changed)
		},
	}
	flags := cmd.Flags()
	// What follows COMMAND belongs to it, with or without "--".
	flags.SetInterspersed(false)
	flags.StringVar(&app, "app", "", "a registered app, and optionally one of its versions, by number or id")
	flags.StringVarP(&file, "file", "f", "", "the app's manifest, or its folder")
	flags.BoolVar(&pristine, "pristine", false, "give the command the secrets and nothing of this environment")
	flags.BoolVar(&redactKeys, "redact-keys", false, "name the key in place of each redacted value")
	flags.BoolVar(&watch, "watch", false, "restart the command when what it receives changes")
	flags.StringVar(&watchSignal, "watch-signal", "", "send this signal instead of restarting, such as HUP")
	flags.DurationVar(&grace, "grace", 10*time.Second, "how long the command may take to stop before a restart")
	flags.BoolVar(&dryRun, "dry-run", false, "print which secrets in which versions the app would get, and start nothing")
	flags.StringVar(&cacheDir, "offline-cache", "", "keep the values in this folder, encrypted, and use them while the server is away")
	flags.DurationVar(&maxStale, "max-stale", defaultMaxStale, "how old they may be then")
	flags.StringVar(&agent, "agent", "", "ask the agent on this socket, which has the credential (or INFSH_AGENT)")
	flags.StringVar(&mountDir, "mount", "", "give the command files of the secrets in this folder, which KEY_FILE names, and no values")
	flags.BoolVar(&mountOnDisk, "mount-on-disk", false, "allow a folder on a disk, on which deleted values may remain")
	flags.BoolVar(&verbose, "verbose", false, "name the optional secrets that are not set")
	return cmd
}

// connectRun is connectFor for a run, whose app is that of the manifest at hand if
// none is named.
func (p *program) connectRun(ctx context.Context, request api.ResolveRequest, file string, cached bool) (*session, error) {
	s, err := p.connect()
	var none *noCredential
	if !errors.As(err, &none) {
		return s, err
	}
	from, platformErr := p.findPlatform()
	switch {
	case platformErr != nil:
		return nil, platformErr
	case from == nil:
		return nil, err
	case cached:
		return nil, Usage("--offline-cache needs a stored key, with which the values are encrypted: a platform's token gives another credential each time")
	}
	if request.App == "" {
		if request.App, err = manifestApp(file); err != nil {
			return nil, err
		}
	}
	return p.exchange(ctx, from, request)
}

// manifestApp names the app of a manifest as it is registered.
func manifestApp(file string) (string, error) {
	request, err := namedApp("", file)
	return request.App, err
}

// dryRun names what a run of the app, as it is registered, would get. It asks as a
// run does, so it stands in the activity, and drops the values.
func (p *program) dryRun(ctx context.Context, app, file string) error {
	if err := runner.Harden(); err != nil {
		return err
	}
	request, err := namedApp(app, file)
	if err != nil {
		return err
	}
	s, err := p.connectFor(ctx, request)
	if err != nil {
		return err
	}
	resolved, err := s.Resolve(ctx, request)
	if err != nil {
		return runError(request.App, err)
	}
	for _, secret := range resolved.Secrets {
		p.printf("%s\tversion %d\n", inert(secret.Key), secret.Version)
	}
	for _, key := range resolved.MissingOptional {
		p.notef("note: %s is optional and not there; infsh why %s --app %s", key, key, resolved.App)
	}
	return nil
}

// parseApp reads NAMESPACE/NAME[@VERSION].
func parseApp(s string) (app, version string, err error) {
	app, version, hasVersion := strings.Cut(s, "@")
	namespace, name, ok := strings.Cut(app, "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") || hasVersion && version == "" {
		return "", "", Usage("--app %s is not of the form NAMESPACE/NAME or NAMESPACE/NAME@VERSION", quote(s))
	}
	return app, version, nil
}

// appHere registers the manifest at hand and names exactly the version that
// came of it, so that the run gets what this manifest declares. A key that may
// not register runs the app as it is registered.
func (p *program) appHere(ctx context.Context, s *session, path string) (app, version string, err error) {
	if path == "" {
		path = "."
	}
	m, err := manifest.Load(path)
	if err != nil {
		return "", "", err
	}
	registered, made, err := deploy(ctx, s, m, true)
	switch {
	case err == nil:
		name, version := appName(registered.App), registered.Deployment.Version
		if made {
			p.notef("Registered %s as %s, version %d.", m.Path, name, version.Number)
		}
		p.noteGrants(registered)
		return name, version.ID, nil
	case !mayNotRegister(err):
		return "", "", err
	}
	// Without a namespace the server takes the app to be in the team's own.
	app = m.Name
	if m.Namespace != "" {
		app = m.Namespace + "/" + m.Name
	}
	p.notef("note: this credential may not register apps; running %s as it is registered.", app)
	return app, "", nil
}

// mayNotRegister tells a credential without that right from one that is not
// accepted at all, or not for this team.
func mayNotRegister(err error) bool {
	var answered *api.Error
	return errors.As(err, &answered) && answered.Status == http.StatusForbidden && answered.Title != api.TitleWrongTeam
}

// runError says about an app what a bare "not found" does not.
func runError(app string, err error) error {
	var answered *api.Error
	if errors.As(err, &answered) && errors.Is(err, api.ErrNotFound) && answered.Title != "" {
		return fail(ExitNotFound, label("Not found", cmp.Or(answered.Detail, app+" is not registered")),
			"`infsh app list` shows the team's apps; `infsh app deploy` registers the one in this folder.")
	}
	return err
}

// needles are the resolved secrets in a fixed order, so that warnings about
// them come in the same order at each run.
func needles(resolved api.ResolveResponse) []redact.Needle {
	secrets := make([]redact.Needle, 0, len(resolved.Env))
	for _, key := range slices.Sorted(maps.Keys(resolved.Env)) {
		secrets = append(secrets, redact.Needle{Key: key, Value: resolved.Env[key].Value})
	}
	return secrets
}

// start hands this process over to the command and ends as the command does,
// which is stopped when ctx ends. No signal cancels ctx: signals are the runner's
// to pass on, and the command would be told twice.
func (p *program) start(ctx context.Context, command runner.Command) error {
	command.Env = p.Environ()
	command.Stdin, command.Stdout, command.Stderr = p.In, p.Out, p.Err
	command.Warn = func(sentence string) { p.notef("warning: %s", sentence) }
	code, err := p.launch(ctx, command)
	if err != nil {
		return fail(code, err.Error())
	}
	return exitStatus(code)
}
