package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"infsh/api"
	"infsh/redact"
	"infsh/runner"
)

// agentStop is how long an agent waits for answers that are on their way.
const agentStop = 5 * time.Second

func (p *program) agentCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "agent [--socket SOCKET]",
		Short: "Hold the credential for runs on this machine",
		Long: `Serves "infsh run --agent SOCKET" (or INFSH_AGENT=SOCKET) on a unix socket until it
is told to end: such a run needs no credential of its own. The agent passes on what
runs ask for: secrets, where each run is an entry of the audit log as without it,
findings, and changes for --watch. It keeps nothing of that.

Only processes of the same user are served. The socket is in a folder that this user
alone can enter, which is made if it is not there. A runner's key is enough.`,
		Example: `  infsh agent --socket /run/user/1000/infsh/agent.sock
  INFSH_AGENT=/run/user/1000/infsh/agent.sock infsh run --app acme/summarizer -- ./summarize`,
		Args: NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if runtime.GOOS != "linux" {
				return errors.New("an agent works on Linux only, which tells who is at the other end of a socket")
			}
			// Before there is a credential to protect from a debugger or a core.
			if err := runner.Harden(); err != nil {
				return err
			}
			if path == "" {
				dir := p.env("XDG_RUNTIME_DIR")
				if dir == "" {
					return &usageError{msg: "where? XDG_RUNTIME_DIR is not set: name a socket with --socket", command: cmd.CommandPath()}
				}
				path = filepath.Join(dir, "infsh", "agent.sock")
			}
			s, err := p.connect()
			var none *noCredential
			if errors.As(err, &none) {
				return fail(ExitDenied, notLoggedIn, none.why, "A platform's token is for one app, which an agent does not know: where there is one, let each run exchange it by itself, without an agent.")
			}
			if err != nil {
				return err
			}
			handler, err := s.Forwarder()
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			listener, err := listenPrivate(path)
			if err != nil {
				return err
			}
			server := &http.Server{
				Handler: endWatches(ctx, handler), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10,
				ErrorLog: log.New(io.Discard, "", 0),
			}
			served := make(chan error, 1)
			go func() { served <- server.Serve(listener) }()
			p.notef("listening on %s", inert(path))
			select {
			case err := <-served:
				return fmt.Errorf("serving runs: %w", err)
			case <-ctx.Done():
			}
			ending, cancel := context.WithTimeout(context.Background(), agentStop)
			defer cancel()
			if server.Shutdown(ending) != nil {
				_ = server.Close()
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "socket", "", "where to listen (default $XDG_RUNTIME_DIR/infsh/agent.sock)")
	return cmd
}

// endWatches ends streams of changes, which have no end of their own, with ctx.
func endWatches(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == api.WatchPath {
			watching, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			r = r.WithContext(watching)
		}
		next.ServeHTTP(w, r)
	})
}

// listenPrivate listens on a socket of mode 0600 in a folder of mode 0700.
func listenPrivate(path string) (net.Listener, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("--socket: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("--socket: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("--socket: others can enter the folder %s (mode %04o): name a socket in a folder of its own, or run `chmod 700 %s`", dir, info.Mode().Perm(), dir)
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != fs.ModeSocket {
			return nil, fmt.Errorf("--socket: %s is there and no socket: name another", path)
		}
		conn, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, fmt.Errorf("--socket: a process listens on %s already", path)
		}
		// Its agent was killed.
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("--socket: %w", err)
		}
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("--socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("--socket: %w", err)
	}
	return sameUser{listener}, nil
}

// sameUser hangs up on processes of other users.
type sameUser struct{ net.Listener }

func (l sameUser) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || checkPeer(conn) == nil {
			return conn, err
		}
		conn.Close()
	}
}

// throughAgent makes a session without a credential: the agent has it.
func (p *program) throughAgent(path string) (*session, error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "unix", path)
		if err != nil {
			return nil, fmt.Errorf("the agent does not listen on %s: start it with `infsh agent --socket %s`", path, path)
		}
		if err := checkPeer(conn); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}}
	client, err := api.New("http://agent.localhost", redact.Value{}, api.Options{
		UserAgent: "infsh/" + p.Version, Logger: p.log, Transport: transport,
	})
	if err != nil {
		return nil, err
	}
	return &session{Client: client}, nil
}
