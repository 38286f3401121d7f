package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"infsh/auth"
	"infsh/cli"
)

func unlinkCommand() *cobra.Command {
	var email string
	cmd := &cobra.Command{
		Use:   "unlink --email EMAIL",
		Short: "Disconnect an account from single sign-on",
		Long: `Disconnect an account from the provider that signs it in. All sessions and
command line logins of the account end; a password and API keys stay.

Somebody without a password is connected again at the next sign-in with the
account's verified address. To keep a person out, remove them from their teams
and from the provider.`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if email == "" {
				return cli.Usage("--email is needed")
			}
			private()
			s, err := readSettings(cmd, storeSettings)
			if err != nil {
				return err
			}
			st, err := openStoreAsItIs(cmd.Context(), s)
			if err != nil {
				return err
			}
			defer func() { _ = st.db.Close() }()
			n, err := newServices(st, nil).Sessions.UnlinkSignOn(cmd.Context(), auth.Operator(operatorName()), email)
			if err != nil {
				return err
			}
			if n == 0 {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "This account is connected with no provider. Nothing was changed.")
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "The account is disconnected, and signed out everywhere.")
			return err
		},
	}
	cmd.Flags().StringVar(&email, "email", "", "email address of the account")
	addSettings(cmd, storeSettings)
	return cmd
}
