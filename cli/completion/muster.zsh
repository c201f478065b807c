#compdef muster
# Completion of muster for zsh: commands with what they do, then their options; else files.
# A line each: the words of a command, its options, and what it does.
_muster() {
	local -a table=(
		"bootstrap|--no-qr|makes the first two administrators, on the console"
		"login|--user --no-qr|logs you in, with directory password and code"
		"logout||ends your session"
		"whoami||says as whom you are logged in, and until when"
		"status|--watch|shows how everything stands"
		"person list|--state --match --limit|lists people"
		"person show||shows one person, with accounts and grants"
		"person explain||says why a person has what they have"
		"revoke|--reason --file --wait --login --user|takes everything away, everywhere, now"
		"suspend|--reason --until|takes everything away for a while"
		"resume|--reason|ends a suspension"
		"reinstate|--reason|lifts a revocation"
		"identify|--level --method --evidence --reason|records that you have identified a person"
		"grant|--until --reason|gives a person a role until an end"
		"ungrant|--reason|ends a granted role"
		"pending||lists the actions that wait for approval"
		"approve||approves an action of another administrator"
		"deny|--reason|denies an action, or takes your own back"
		"review list|--due --all --limit|lists granted roles that lapse unless somebody confirms them"
		"review confirm|--reason|confirms granted roles: they are held on until the next review"
		"review drop|--reason|ends granted roles that are needed no more"
		"brake list||lists whom the brake holds"
		"brake release|--reason|lets go of those whom a source's brake holds now"
		"credential issue|--reason|makes a person a new credential to collect"
		"credential claim||collects your own credentials, once"
		"platform list||lists the platforms"
		"platform show||shows one platform and its settings"
		"sync status||lists the sources and what their last read was worth"
		"sync quarantine||lists entries that cannot be used, why, and since when"
		"sync run|--dry-run --reason|reads a source anew, whole"
		"policy check||names every fault in a folder of policies, here"
		"policy test||runs the cases in DIR/cases, here"
		"policy plan||says who would gain and lose what"
		"policy apply|--base --outcome --reason|puts a folder of policies in force"
		"client add|--platform --csr --cert --reason|lets a platform's client at the token API"
		"client list||lists the clients of the token API"
		"client renew|--csr --reason|issues a client's next certificate"
		"client remove|--reason|shuts a client out"
		"admin list||lists the administrators"
		"admin enrol|--reason|makes a person an administrator"
		"admin unlock|--reason|unlocks an administrator after five wrong codes"
		"admin remove|--reason|makes a person an administrator no more"
		"audit list|--reason --kind --person --since --until --limit|lists audit records, newest first"
	)
	local -a globals=(--json --secrets-stdin --server --ca-fingerprint --console --help --version)
	local -a typed=(${${words[2,CURRENT-1]:#-*}:#help}) offer parts
	local row first=${typed[1]-} second=${typed[2]-}
	typeset -A seen

	for row in $table; do
		parts=("${(@s:|:)row}")
		if [[ $PREFIX == -* ]]; then
			if [[ $parts[1] == $first || $parts[1] == "$first $second" ]]; then
				offer+=(${=parts[2]})
			fi
		elif [[ -z $first ]]; then
			[[ -n ${seen[${parts[1]%% *}]-} ]] && continue
			seen[${parts[1]%% *}]=1
			if [[ $parts[1] == *' '* ]]; then
				offer+=("${parts[1]%% *}")
			else
				offer+=("${parts[1]}:${parts[3]}")
			fi
		elif [[ -z $second && $parts[1] == "$first "* ]]; then
			offer+=("${parts[1]#* }:${parts[3]}")
		fi
	done
	if [[ $PREFIX == -* ]]; then
		compadd -- $offer $globals
	elif (( $#offer )); then
		_describe command offer
	else
		_files
	fi
}
_muster "$@"
