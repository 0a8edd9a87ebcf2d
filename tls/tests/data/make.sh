#!/bin/sh
# Makes the files that rcgen cannot: other versions, key types and forms. For tests alone.
# They are kept, so that the tests need no openssl; run it here to make them anew.
set -eu
ca() { # NAME KEYFILE
    openssl req -new -x509 -key "$2" -subj "/CN=$1" -days 36500 -out "$1.pem"
}
openssl ecparam -name secp521r1 -genkey -noout -out p521.key
ca p521 p521.key
openssl genrsa -out rsa1024.key 1024
ca rsa1024 rsa1024.key
openssl genrsa -out rsa8192.key 8192
ca rsa8192 rsa8192.key
openssl dsaparam -genkey -noout -out dsa.key 1024
ca dsa dsa.key
openssl dsa -in dsa.key -out dsa-traditional.key
openssl genpkey -algorithm ed448 -out ed448.key
ca ed448 ed448.key

# One key in four forms, and a certificate of version 1 with it. -set_serial and no -extfile:
# `openssl x509 -req` leaves the version at 1 then.
openssl ecparam -name prime256v1 -genkey -out p256-with-parameters.key
openssl pkcs8 -topk8 -nocrypt -in p256-with-parameters.key -out p256.key
openssl pkcs8 -topk8 -passout pass:secret -in p256.key -out p256-encrypted.key
openssl ec -aes128 -passout pass:secret -in p256.key -out p256-encrypted-traditional.key
openssl req -new -key p256.key -subj /CN=v1 -out v1.csr
openssl x509 -req -in v1.csr -signkey p256.key -set_serial 1 -days 36500 -out v1.pem

# A client of that authority, in version 3.
openssl ecparam -name prime256v1 -genkey -noout -out client.key
openssl req -new -key client.key -subj /CN=client -out client.csr
printf 'subjectAltName=DNS:client\n' > client.ext
openssl x509 -req -in client.csr -CA v1.pem -CAkey p256.key -set_serial 2 -days 36500 \
    -extfile client.ext -out client-of-v1.pem
openssl x509 -in v1.pem -trustout -out v1-trusted.pem
openssl x509 -in v1.pem -outform DER -out v1.der

# Revocation lists of an authority with RSA: in version 1, as `openssl ca` makes them without a
# number, and in version 2. Both revoke number 7.
openssl genrsa -out lists.key 2048
ca lists lists.key
mkdir lists.ca
printf 'R\t991231235959Z\t200101000000Z\t07\tunknown\t/CN=revoked\n' > lists.ca/index.txt
printf '01\n' > lists.ca/number
printf '%s\n' '[ca]' 'default_ca = own' '[own]' 'database = lists.ca/index.txt' \
    'default_md = sha256' > lists.ca/conf
list() { # NAME
    openssl ca -gencrl -config lists.ca/conf -cert lists.pem -keyfile lists.key -crldays 36500 \
        -out "$1.pem"
}
list crl-v1
printf 'crlnumber = lists.ca/number\n' >> lists.ca/conf
list crl-v2
rm -r lists.ca lists.key
rm -f ./*.csr client.ext
