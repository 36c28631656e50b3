"""Metadata files that Apache Kafka 4.3.1 wrote, to be opened as they are.

One node (broker and controller). `STOPPED_LOG`: voters from the settings; topics "plain" (3
partitions) and "compacted" (with settings), "gone" created and deleted, a block of producer ids,
then a controlled shutdown, which leaves every partition without a leader. `STANDALONE_LOG` and
`STANDALONE_SNAPSHOT`: the same, formatted with --standalone (kraft.version 1), killed while it ran.
`BOOTSTRAP`: what `kafka-storage format` writes into the log directory.
"""

import base64
import zlib

_STOPPED_LOG = (
    "c-"
    "o~_Z)j6j6hG(XHGNHMYHLAdn}4Vk5s7U~t%#1!HCz9riIlR5Fvl}}X3^v&eaQwgKXm(09os+$L$<NOU{kbMw=%!T"
    "=0F5j`eh(EzsSZ^5ET&->edh0xi`5t@8xBZ;w|s~+I!CV-TQv$ymJd6M~og+Zaw_uZCF!W!EXzHhFb*|9D|v+)1="
    "X(tS`DNY=Yt}2mOjKbL+8%Q!DwBR-"
    "&8~=%Q}e!6G_wIfb{j?#g8HxxA%k*H}h8V~yp2c2+QeP0*4y^7@#b*8}evRxX(_VHLn$02QNTU2CM0iRAv25l9*O"
    "m|+DhBb!Rb^_=vk(}e)MxPiR=2`lq%w!)+pO}Te;%dnfa0r+qenU>PY3_b0j>;-7T5E<L()MieP=gA-"
    ")NT5CdKW;;n&e@hunt`O5J8Z_~@suurHh`t5;fk`7K9Z!BD|x<S)r{1a6nt%3pgT#IJZ%2KgD-IJ#J*hzf1Dq@fA"
    "*W+#MOU}oB*Zq)mU_NBo>K;M|@quo<Jx4be*}z@>HP+OQ!#jr60&UmfSh0rz})R#vENzvBjzqQF?1go}<nh>95UP"
    "9d-4M3A;M4hXuOTdCJwf=Rr_8-"
    "3Pu)5Bh!{=$klw@w<tQb)O4z#kV{1%0P59yl1p5(nr5Ck*dB`ZOT>AsJfW7Y4N{Ol8u;^%d<O28nu%vzMr4Wc0Bq"
    "`iq}NX8(g|CrhI?Pua-%6RG>>bCCJ>?V~fX@heq@uveH$kblb|w@zXQJclhj-"
    "=C>zjK%zT2Vh3>S09X(N&9pwxX%h=09ek<2M3)xmqSbm?M2NbTH=ELv=H!;1qy9gJPyVEKZ+sH&raC%~>;*nV^sr"
    "tAl@5yRb%^#FtfDVtQY8~UCzDq)DbK;w&zjl}a`weD=`2-"
    "?F*e@&=C$Zs(f2Q`{{7BO;jb?N_OSLAp$4Uty_(}xd?r<OHbb>{SSuL-Mp?V-"
    "cRDYzjJ#p;N=)apuHcqX_tu``Yxv93R&KnA*C>tU^zh3<d3>Q`lcTbZ33OK$D@|vGvOc?;^Mrqyd*I+XC(zAPx~7"
    "^P6<P$(UCGUEy{|a;%*~6P_U~(Or$G1j#V^eusZp26n8xIZB_HQIhnG!XS^4km@vCRtRa)V&cq!Qh5#dn{O;canB"
    "^XQybW0Fo(*|q+_X$hmMVX?x`t1Qb@6Zu}wWR1J$ur$wXt(nWj|;4YhyFvrcFwcEWnq9Xsm1u{rvhC(b)p%eqZu)"
    "A53)S$!@8;!tup;pM&jiTSYHGdrOK$v&-qzVUJ-"
    "?hiPA)rQgc*kw9DR|QrE`pvPW+Vti5+j+I2FU!RzDQcG{RB@R`~C53bSnvH"
)

_STANDALONE_LOG = (
    "c-o~^TTBx{6rI_vuoP$o8{a`Nh(t_<S^<?99}sD5T7r!t5Or-=sJ7d(tp+swC^3F0!Kfh-AAvypFcAImh5Chj`DK"
    "jJ4<#{@_==bqABl;0XS%y|yHz1fGjqFh@0_{!%$++3sjUw>W^R8u{T$`OUk1K<C&%hGD{@lPz=GWX14m2?C;(>2f"
    "MO#;IiMigImXz;3Frngks_j)QA0;@`q`82kqfuJuW;13MJ9cl+vTZsJDpXv#u8hZwHSUSqisk=R2mDPo9Kp{+K0#"
    "J6eoMxr%0W*X%%EeF<t;r+1Xn|p=cy3@!?!a@P;H`1VJziw&Dzw6%?YpkB{=!qk<IiheQ%dJ@}4Ypv@Bk{wDu{fM"
    "5*>yibs<k`NB~y?jKq22bq}BrXJNQ<D@r5>8NYF;%3QmxOp#IYLIf8dP(^Gl36kAmJD?upN{Z@LG)U-"
    "Y6(k1E8}KArmgg2Jq7o^ov%%7-<u|s(VZcLKcMPVh%5yVlo3L$)-"
    "%s>u!9j%n}CoI25U45<g<ec$39TsC6k{IWRg{)jiZT+VhMx8_++_kxO8N9IWZE#2<`mru1i!3a5}j88OsRMJAI{L"
    "~`!`ho?!jO!!(u+3Ejq=$nR}_lnfB^OLgkfyKx`;U0e8k(YmL%f?gLo;%&#uNw+DW2|v*akxBHb)G4bK8+KS{u)5"
    "iaHmIU67rI>JWY}?0bmlZutJgvI=ygA@4eP1@zm8{R-"
    "~Rf3mG^n<YtC0P#pWN7xR%^3CQ|}8b#`G7#lGwz*+HyBNH5+L^g8ELBnb^ELKk)*5Ds>!}WbdPCAt;Z*)tMx(&I_"
    "WQ83HU`jZ^`^AY@xp!O6xZJ~!2P#I+ue^#-"
    "7bY8@z?dbK4<#BfYWbv|sNN*ummnEbBs@!`6cve?1yVIBY87B?^oD|A$Xmg;t|O)BWq)OR=f1D`=bIk@?{%cSIiW"
    "x?Q&wg#<d_J_8xBE=wQ;fnArC2c)mr0BNr(y}y%WI*S7KXhUsqZd3&S);ZQ{l=2t#g*px4k<*M3~=iqGAKH;UBfu"
    "Kc{1H9050SMOBp#n5{w_V|$JczixLHY-w}&-AggK@@YELZWbA^qg9|YP)dm`p2CImk&C0*_CK8a|)J1-"
    "%VG&lU}!I-0W1O-c36(E5vC?@1cb_sJYoWYK1U0KK&if^4<<bPNzaFQ*o{gUz&)=+25+jf8zWBn=yu!"
)

_STANDALONE_SNAPSHOT = (
    "c-"
    "muNfP+~ef@zJR_gV%85Q~9<apC{_!S*ovKMDY<VAcW>93X}mNGn*C83ThHP%lW7l?x=uz|aK5EFb~4Jg}(@jL|Iy"
    "+`Y~IN2YB2rs^5spU1@Q?C%#6<nQC-8pLI2WUglbgoei|86XD00W%QWgI&4hx!qo{D`ED!z-SCtGD<;R$-"
    ")Lw4FKVTKZy"
)

_BOOTSTRAP = (
    "c-muNfCG0B!L)(z>`Dd&hzR4t|M%?|!RY@e03@viBshSWS&RV_Faq&Mu#xr-"
    "96VqlR;W=2U^Ir2Y*rwhdW<{_g1M<Bi7AOCiF#$JMa7x<c?@z43{gPS82x~<im5r7>6uA6sd_o7i7BZ?dPS)PIho"
    "0c#c<U?>rEIKSQs^cs`=83@=FWQq}U)*#Tki3smM|mKtD0+0Hp+qONvqxb5V?RU|`^4GyzJAloTcA6(=T_043lGn"
    "Bbmg2V#4$=O6F=pNbNm2Vpd3cuGOTlZ6eW8UX%Zb_x"
)


STOPPED_LOG = zlib.decompress(base64.b85decode(_STOPPED_LOG))
STANDALONE_LOG = zlib.decompress(base64.b85decode(_STANDALONE_LOG))
STANDALONE_SNAPSHOT = zlib.decompress(base64.b85decode(_STANDALONE_SNAPSHOT))
BOOTSTRAP = zlib.decompress(base64.b85decode(_BOOTSTRAP))
STOPPED_QUORUM_STATE = b'{"clusterId":"","leaderId":1,"leaderEpoch":1,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}'
STANDALONE_QUORUM_STATE = b'{"leaderId":1,"leaderEpoch":1,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}'
