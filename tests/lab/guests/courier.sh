# Courier. TTL and WARN are how long its queue keeps a message and says nothing; TLS=yes: it sends under TLS alone.
case $1 in
start)
    add_user courier
    chown -R courier:courier /var/lib/courier /etc/courier
    mkdir -p /run/courier/authdaemon && chown -R courier:courier /run/courier
    cd /etc/courier
    echo "$NAME" | tee me defaultdomain > /etc/mailname
    echo localhost > locals
    echo "\"Courier mail server at $NAME\" <@>" > dsnfrom
    echo "${TTL:-1s}" > queuetime
    echo "${WARN:-1d}" > warntime
    if [ -n "$TLS" ]; then echo ":/SECURITY=REQUIRED" > esmtproutes; fi
    : > /etc/environment
    makealiases
    courier start > /var/log/guest.log 2>&1 < /dev/null
    ;;
send)
    from=$2
    shift 2
    /usr/sbin/sendmail -f "$from" "$@"
    ;;
retry)
    courier flush
    sleep 0.5
    ;;
esac
