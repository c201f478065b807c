# Completion of muster for bash: commands, then their options; where a file is wanted, files.
# A line each: the words of a command, and its options.
_muster_table='
bootstrap|--no-qr
login|--user --no-qr
logout|
whoami|
status|--watch
person list|--state --match --limit
person show|
person explain|
revoke|--reason --file --wait --login --user
suspend|--reason --until
resume|--reason
reinstate|--reason
identify|--level --method --evidence --reason
grant|--until --reason
ungrant|--reason
pending|
approve|
deny|--reason
review list|--due --all --limit
review confirm|--reason
review drop|--reason
brake list|
brake release|--reason
credential issue|--reason
credential claim|
platform list|
platform show|
sync status|
sync quarantine|
sync run|--dry-run --reason
policy check|
policy test|
policy plan|
policy apply|--base --outcome --reason
client add|--platform --csr --cert --reason
client list|
client renew|--csr --reason
client remove|--reason
admin list|
admin enrol|--reason
admin unlock|--reason
admin remove|--reason
audit list|--reason --kind --person --since --until --limit
'

_muster()
{
	local cur=${COMP_WORDS[COMP_CWORD]} line words options first= second= word offer=
	local globals="--json --secrets-stdin --server --ca-fingerprint --console --help --version"

	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		-*) ;;
		help) ;;
		*) if [ -z "$first" ]; then first=$word; elif [ -z "$second" ]; then second=$word; fi ;;
		esac
	done
	COMPREPLY=()
	while IFS='|' read -r words options; do
		[ -n "$words" ] || continue
		case $cur in
		-*)
			if [ "$words" = "$first" ] || [ "$words" = "$first $second" ]; then
				offer="$options"
			fi ;;
		*)
			if [ -z "$first" ]; then
				offer="$offer ${words%% *}"
			elif [ -z "$second" ] && [ "${words%% *}" = "$first" ] && [ "$words" != "$first" ]; then
				offer="$offer ${words#* }"
			fi ;;
		esac
	done <<<"$_muster_table"
	case $cur in
	-*) offer="$offer $globals" ;;
	*) [ -n "$first" ] || offer="$offer help" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$offer" -- "$cur" | sort -u)
}
complete -o default -F _muster muster
