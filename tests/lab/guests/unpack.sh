# unpack.sh FOLDER PACKAGE...: unpacks Debian packages, as only one mail server can be installed.
set -e
folder=$1
shift
work=$(mktemp -d)
chmod 755 "$work"
cd "$work"
apt-get -qq download "$@"
mkdir -p unpacked
for package in *.deb; do dpkg -x "$package" unpacked; done
mkdir -p "$(dirname "$folder")"
mv unpacked "$folder"
rm -r "$work"
